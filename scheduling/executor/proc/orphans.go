package proc

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// orphans are the processes that lost their parents below us. As a subreaper
// this process adopts them, and they hang off its first thread, where none of
// its own children do. So one read of that thread's list of children says
// whether any attempt has left anything behind: a process left behind is below
// some orphan. That is what makes ending a short attempt cheap.
type orphans struct {
	self int
	list *os.File // /proc/self/task/<first thread>/children

	// mu keeps the list still: the kernel may skip an entry where another one
	// is reaped in the middle of a read.
	mu    sync.Mutex
	blank map[procKey]time.Time // since when an orphan's environment is empty
	env   []byte
}

type procKey struct {
	pid   int
	start uint64
}

// blankPatience is how long a process with an empty environment may still be on
// its way through an exec before it counts as nobody's. The instant is short,
// but on a busy machine the process may be made to wait in the middle of it.
const blankPatience = 100 * time.Millisecond

func newOrphans() (*orphans, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("%w: cannot become a child subreaper: %w", ErrUnsupported, err)
	}
	self := os.Getpid()
	path := fmt.Sprintf("/proc/self/task/%d/children", self)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: needs CONFIG_PROC_CHILDREN: %w", ErrUnsupported, err)
	}
	return &orphans{self: self, list: f, blank: make(map[procKey]time.Time), env: make([]byte, maxEnvironBytes)}, nil
}

func (o *orphans) close() error { return o.list.Close() }

// live reaps the orphans that have died and returns the others. The caller
// holds mu.
func (o *orphans) live() []procStat {
	pids := o.read()
	if len(pids) == 0 {
		clear(o.blank)
		return nil
	}
	own, err := unix.Getsid(0)
	if err != nil {
		return nil // not reached: asking for one's own session cannot fail
	}
	var out []procStat
	for _, pid := range pids {
		p, ok := readStat(pid)
		switch {
		case !ok || p.ppid != o.self || p.session == own:
			// Gone, or a child that somebody else here started and waits for.
		case p.dead():
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		default:
			out = append(out, p)
		}
	}
	return out
}

// read returns the pids on the list of the first thread.
func (o *orphans) read() []int {
	buf := make([]byte, 4096)
	n, err := o.list.ReadAt(buf, 0)
	for err == nil { // full: there is more
		buf = append(buf, make([]byte, len(buf))...)
		n, err = o.list.ReadAt(buf, 0)
	}
	var pids []int
	for field := range strings.FieldsSeq(string(buf[:n])) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// reap collects the orphans that have died.
func (o *orphans) reap() {
	o.mu.Lock()
	defer o.mu.Unlock()
	here := make(map[procKey]bool)
	for _, p := range o.live() {
		here[procKey{p.pid, p.start}] = true
	}
	for key := range o.blank {
		if !here[key] {
			delete(o.blank, key)
		}
	}
}

// belongs says whether an orphan is part of the attempt with this session and
// id. unsure means: look again in a moment.
func (o *orphans) belongs(p procStat, session int, id string) (yes, unsure bool) {
	if p.session == session {
		return true, false
	}
	owner, blank := markerOf(p.pid, o.env)
	if !blank {
		return owner == id, false
	}
	key := procKey{p.pid, p.start}
	since, seen := o.blank[key]
	if !seen {
		since = time.Now()
		o.blank[key] = since
	}
	return false, time.Since(since) < blankPatience
}

// left says whether anything of the attempt is still there once its main
// process has ended. It must be called before that process is reaped: until
// then nobody else can have its session.
func (o *orphans) left(session int, id string) (yes, unsure bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.live() {
		y, u := o.belongs(p, session, id)
		if y {
			return true, false
		}
		unsure = unsure || u
	}
	return false, unsure
}

// members returns every live process of the attempt: its session, the orphans
// that belong to it, and the descendants of either.
func (o *orphans) members(session int, id string) ([]procStat, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	mine := make(map[procKey]bool)
	for _, p := range o.live() {
		if yes, _ := o.belongs(p, session, id); yes {
			mine[procKey{p.pid, p.start}] = true
		}
	}
	all, err := processes()
	if err != nil {
		return nil, err
	}
	found := closure(all, func(p procStat) bool {
		return p.session == session || mine[procKey{p.pid, p.start}]
	})
	return alive(found), nil
}

// killAll ends and reaps every orphan, whoever it belonged to, and gives up
// after the limit.
func (o *orphans) killAll(limit time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(minLeftoverPause) {
		live := o.live()
		if len(live) == 0 {
			return
		}
		for _, p := range live {
			signalProcess(p, unix.SIGKILL)
		}
	}
}
