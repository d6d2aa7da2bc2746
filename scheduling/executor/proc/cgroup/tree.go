package cgroup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Capabilities are what a host can do.
type Capabilities struct {
	// Cgroup is the version that carries the limits, "v2" or "v1"; where there
	// are no limits the one that tracks; "none" where there is neither.
	Cgroup string `json:"cgroup"`
	// Tracking is the version by which everything of an attempt is found, "v2",
	// "v1" or "none".
	Tracking string `json:"tracking"`
	// Controllers are the limits that can be enforced: cpu, memory, pids.
	Controllers []string `json:"controllers,omitempty"`
	// Reason says why something is missing; empty when nothing is.
	Reason string `json:"reason,omitempty"`
}

// String is for people: "v2 (cpu, memory, pids)".
func (c Capabilities) String() string {
	if len(c.Controllers) == 0 {
		return c.Cgroup
	}
	return c.Cgroup + " (" + strings.Join(c.Controllers, ", ") + ")"
}

// limitControllers are all that limits can need.
var limitControllers = []string{"cpu", "memory", "pids"}

// trackers are version 1 hierarchies by which processes can be tracked, the
// best first: only a frozen group cannot fork while it is being killed.
var trackers = []string{"freezer", "pids", "memory", "cpu"}

// Tree is where the groups of one node are. All methods may be called
// concurrently.
type Tree struct {
	log  *slog.Logger
	v2   *unified           // nil: none
	v1   map[string]Passage // base directory by controller, and the thread's own
	caps Capabilities
	at   *places
	seq  atomic.Int64

	mu    sync.Mutex
	stuck []*Group // could not be removed yet
}

// Open finds out what the host can do, kills and removes what a predecessor on
// the same directory left, for as long as ctx allows, and is then ready. The
// error says that something of the predecessor is still alive, or I/O; a host
// without control groups is no error.
func Open(ctx context.Context, dir string, log *slog.Logger) (*Tree, error) {
	found, err := findMounts()
	if err != nil {
		log.Warn("no control groups", "error", err)
		found = mounts{}
	}
	return open(ctx, dir, found, log)
}

func open(ctx context.Context, dir string, found mounts, log *slog.Logger) (*Tree, error) {
	places, err := openPlaces(filepath.Join(dir, placesName))
	if err != nil {
		return nil, err
	}
	if err := places.sweep(ctx); err != nil {
		return nil, err
	}
	t := &Tree{log: log, at: places, v1: make(map[string]Passage)}
	var reasons []string
	if found.v2 != nil {
		var why error
		if t.v2, why = openUnified(*found.v2, places); why != nil {
			reasons = append(reasons, why.Error())
		}
	}
	for _, name := range trackers {
		if t.v2.has(name) || t.v2 != nil && name == "freezer" {
			continue // not needed
		}
		if m, ok := found.v1[name]; ok {
			base := filepath.Join(m.own, places.name())
			if why := places.make(base); why != nil {
				reasons = append(reasons, why.Error())
				continue
			}
			t.v1[name] = Passage{Dir: base, Home: m.own}
		}
	}
	if found.v2 == nil && len(found.v1) == 0 {
		reasons = append(reasons, "no control groups are mounted")
	}
	t.describe(reasons)
	return t, nil
}

// None is the tree of a host that has no control groups.
func None(log *slog.Logger) *Tree {
	t := &Tree{log: log}
	t.describe([]string{"control groups are not used"})
	return t
}

// describe works out the capabilities, and warns once about what is missing.
func (t *Tree) describe(reasons []string) {
	t.caps = Capabilities{Cgroup: "none", Tracking: t.tracking()}
	for _, name := range limitControllers {
		switch {
		case t.v2.has(name):
			t.caps.Cgroup = "v2"
		case t.v1[name].Dir == "":
			continue
		case t.caps.Cgroup == "none":
			t.caps.Cgroup = "v1"
		}
		t.caps.Controllers = append(t.caps.Controllers, name)
	}
	if len(t.caps.Controllers) == 0 {
		t.caps.Cgroup = t.caps.Tracking
	}
	if len(t.caps.Controllers) == len(limitControllers) && t.caps.Tracking != "none" {
		return
	}
	if len(reasons) == 0 {
		reasons = []string{"the host offers no other controllers to this process"}
	}
	t.caps.Reason = strings.ReplaceAll(strings.Join(reasons, "; "), "\n", "; ")
	t.log.Warn("not every limit can be enforced, and without tracking a daemon that hides can outlive its attempt",
		"limits", t.caps.String(), "tracking", t.caps.Tracking, "reason", t.caps.Reason)
}

func (t *Tree) tracking() string {
	if t.v2 != nil {
		return "v2"
	}
	if t.tracker() != "" {
		return "v1"
	}
	return "none"
}

func (t *Tree) tracker() string {
	for _, name := range trackers {
		if t.v1[name].Dir != "" {
			return name
		}
	}
	return ""
}

// Capabilities says what the host can do.
func (t *Tree) Capabilities() Capabilities { return t.caps }

// New makes the group of an attempt; the name is for people to read. Without
// limits, and where none can be made, the group is nil and the error says why
// (nil where the host has none to give). Errors: ErrNoLimit, I/O.
func (t *Tree) New(name string, limits Limits) (*Group, error) {
	need := limits.controllers()
	for _, c := range need {
		if !t.v2.has(c) && t.v1[c].Dir == "" {
			return nil, fmt.Errorf("cannot limit %s: %w (%s)", c, ErrNoLimit, t.caps.Reason)
		}
	}
	if t.caps.Tracking == "none" {
		return nil, nil
	}
	g := &Group{limits: limits, fd: -1}
	if err := t.fill(g, strconv.FormatInt(t.seq.Add(1), 10)+"-"+readable(name), need); err != nil {
		t.Discard(g)
		return nil, fmt.Errorf("make control group: %w", err)
	}
	return g, nil
}

// fill makes the directories of a group and sets its limits.
func (t *Tree) fill(g *Group, name string, need []string) error {
	var v1 []string
	limited := false
	for _, c := range need {
		if t.v2.has(c) {
			limited = true
		} else {
			v1 = append(v1, c)
		}
	}
	switch {
	case limited:
		if err := t.fillV2(g, name, need); err != nil {
			return err
		}
	case t.v2 != nil:
		s, err := t.v2.slots.take()
		if err != nil {
			return err
		}
		g.slots, g.slot, g.fd, g.dirs = t.v2.slots, s, s.fd, []string{s.dir}
	default:
		v1 = append([]string{t.tracker()}, v1...)
	}
	return t.fillV1(g, name, v1, need)
}

func (t *Tree) fillV2(g *Group, name string, need []string) error {
	dir := filepath.Join(t.v2.limited(), name)
	if err := g.add(dir); err != nil {
		return err
	}
	if err := g.open(dir); err != nil {
		return err
	}
	for _, c := range need {
		if t.v2.has(c) {
			if err := g.limit(c, dir, 2); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Tree) fillV1(g *Group, name string, controllers, need []string) error {
	seen := make(map[string]bool)
	for _, c := range controllers {
		home := t.v1[c]
		dir := filepath.Join(home.Dir, name)
		if !seen[dir] { // two controllers may be mounted together
			seen[dir] = true
			if err := g.add(dir); err != nil {
				return err
			}
			g.enter = append(g.enter, Passage{Dir: dir, Home: home.Home})
		}
		if slices.Contains(need, c) {
			if err := g.limit(c, dir, 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxReadable bounds the part of a group's name that is for people.
const maxReadable = 64

// readable makes any text part of a file name.
func readable(name string) string {
	safe := func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}
	return strings.Map(safe, name[:min(len(name), maxReadable)])
}

// Discard removes a group, at once or as soon as it is empty; what is in it is
// killed.
func (t *Tree) Discard(g *Group) {
	if g.Remove() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stuck = append(t.stuck, g)
}

// Retry kills and removes what could not be removed before.
func (t *Tree) Retry() {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := t.stuck[:0]
	for _, g := range t.stuck {
		if g.Kill(); !g.Remove() {
			kept = append(kept, g)
		}
	}
	clear(t.stuck[len(kept):])
	t.stuck = kept
}

// Close removes the node's own directories, which is possible once every group
// is gone. What is left is named in the error, and left to the next Open.
func (t *Tree) Close() error {
	t.Retry()
	if t.at != nil {
		t.at.release()
	}
	var left error
	var bases []string
	if t.v2 != nil {
		t.v2.slots.close()
		bases = append(bases, t.v2.base)
	}
	for _, e := range t.v1 {
		bases = append(bases, e.Dir)
	}
	for _, base := range bases {
		if !remove(base) {
			left = errors.Join(left, fmt.Errorf("control group %s is not empty", base))
		}
	}
	return left
}
