package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/membership"
)

// formatEvery is how often the leader looks whether every member knows a newer
// log format, apart from each change of the members.
const formatEvery = 2 * time.Second

// raiseFormat, on the leader, has the cluster write the newest log format that
// every member knows. It says once which members keep it from more.
func (a *Agent) raiseFormat(ctx context.Context) error {
	tick := time.NewTicker(formatEvery * a.seams.Pace)
	defer tick.Stop()
	said := ""
	for ctx.Err() == nil {
		_, changed := a.gossip.Watch()
		written := a.store.Read().Settings().Format
		known, older := a.formats(a.self.Format)
		if known > written {
			a.proposeFormat(ctx, written, known)
		}
		if names := strings.Join(older, ", "); names != said {
			said = names
			if names != "" {
				a.logger.Info("some nodes run an older version; what they do not know is refused until they are upgraded", "nodes", names)
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-tick.C:
		}
	}
	return nil
}

func (a *Agent) proposeFormat(ctx context.Context, from, to int) {
	if _, _, err := a.proposer.Propose(ctx, fsm.OpRaiseFormat, fsm.RaiseFormat{Format: to}); err != nil {
		if ctx.Err() == nil {
			a.logger.Warn("the log format was not raised; trying again", "error", err)
		}
		return
	}
	a.logger.Info("log format raised: every node knows it", "from", from, "to", to)
}

// formats returns the newest log format that every member knows, at most want,
// and the members that know less than want.
func (a *Agent) formats(want int) (known int, older []string) {
	config := a.raft.Raft().GetConfiguration()
	if config.Error() != nil {
		return 0, nil
	}
	return commonFormat(config.Configuration().Servers, a.gossip.Members(), a.store.Read().Node, want)
}

// commonFormat judges every server of the Raft configuration, with a vote or
// without, and every live member that is about to be added. One that is out of
// reach counts by what it said last: it comes back to the same log. One that
// nobody remembers knows nothing.
func commonFormat(servers []raft.Server, members []membership.Member, node func(id string) *fsm.Node, want int) (int, []string) {
	known := want
	var older []string
	note := func(name string, format int) {
		if format < want {
			older = append(older, name)
			known = min(known, format)
		}
	}
	listed := map[string]bool{}
	for _, m := range members {
		listed[m.ID] = true
		isServer := slices.ContainsFunc(servers, func(s raft.Server) bool { return string(s.ID) == m.ID })
		if m.Status == membership.StatusAlive || (isServer && m.Status == membership.StatusFailed) {
			note(m.Name, m.FormatVersion)
		}
	}
	for _, s := range servers {
		if id := string(s.ID); !listed[id] {
			if n := node(id); n != nil {
				note(n.Name, n.Format)
			} else {
				note(id, 0)
			}
		}
	}
	return known, older
}

// mayWrite refuses a command that some member could not apply, and names those.
func (a *Agent) mayWrite(op fsm.Opcode) error {
	if fsm.FormatOf(op) <= fsm.BaseFormat {
		return nil // most commands, and every one whose cost counts
	}
	err := a.store.Read().Settings().CheckFormat(op)
	if err == nil {
		return nil
	}
	if _, older := a.formats(fsm.FormatOf(op)); len(older) > 0 {
		return fmt.Errorf("%w; older or unheard of: %s", err, strings.Join(older, ", "))
	}
	return err
}

// knowsLog refuses a node that could not apply what the log may hold.
func (a *Agent) knowsLog(n fsm.Node) error {
	if written := a.store.Read().Settings().Format; n.Format < written {
		return fmt.Errorf("%w: node %s (version %s) knows log format %d, the cluster writes %d: install the version of the other nodes there",
			fsm.ErrConflict, n.Name, n.Version, n.Format, written)
	}
	return nil
}
