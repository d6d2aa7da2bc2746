package scheduling

import (
	"sync"

	"github.com/rota-scheduler/rota/fsm"
)

// account is what one node holds, as far as it counts for capacity.
type account struct {
	// steady is the weight that takes room whatever the time is.
	steady int
	others []timedLoad
}

// timedLoad is the weight of an attempt that takes room from an instant on.
type timedLoad struct {
	at     fsm.Time
	weight int
	// run is set where the attempt may have to wait for other runs.
	run string
}

// loadOf returns what an attempt takes: from its instant on for the gate of a
// scheduled run, otherwise at once. run is its run; nil if that is gone.
func loadOf(s *fsm.Shard, run *fsm.Run) timedLoad {
	l := timedLoad{weight: s.Weight}
	if s.State == fsm.ShardRunning {
		return l
	}
	l.at = s.NotBefore
	if run == nil {
		return l
	}
	if !run.Opened {
		l.at = run.NotBefore
	}
	if len(run.Condition) > 0 {
		l.run = run.ID
	}
	return l
}

// start returns from when on the load takes room. An attempt whose instant has come
// and that still waits for another run takes none: its node starts it when there is
// room, and that run may need the room to end.
func (l timedLoad) start(v *fsm.View, now fsm.Time) (at fsm.Time, ok bool) {
	at = max(l.at, now)
	if l.run == "" || at > now {
		return at, true
	}
	run := v.Run(l.run)
	return at, run == nil || ConditionMet(v, run)
}

// loads remembers what attempts take that do not run yet. An object of the store never
// changes, and neither does the part of its run that counts: a run that is opened has
// a new gate. To read the run of each attempt would be most of what an account costs.
type loads map[*fsm.Shard]timedLoad

// maxStaleLoads is how many entries may be of objects that the log has replaced.
const maxStaleLoads = 256

// readAccount reads what a node holds through v, and through quiet the runs of
// attempts that are not in known.
func readAccount(v, quiet *fsm.View, node string, known loads) *account {
	a := &account{}
	var run *fsm.Run // that of the shard before: they come run by run
	waiting := 0
	for s := range v.HeldBy(node) {
		if s.State == fsm.ShardRunning {
			a.steady += s.Weight
			continue
		}
		waiting++
		l, seen := known[s]
		if !seen {
			if run == nil || run.ID != s.RunID {
				run = quiet.Run(s.RunID)
			}
			l = loadOf(s, run)
			known[s] = l
		}
		if l.at == 0 && l.run == "" {
			a.steady += l.weight
		} else {
			a.others = append(a.others, l)
		}
	}
	if len(known) > waiting+maxStaleLoads {
		clear(known)
	}
	return a
}

// loadOn adds what the account holds to a node of a snapshot.
func (a *account) loadOn(c *candidate, v *fsm.View, now fsm.Time) {
	c.take(now, a.steady, now)
	for _, l := range a.others {
		if at, ok := l.start(v, now); ok {
			c.take(at, l.weight, now)
		}
	}
}

// ledger keeps the nodes' accounts from one snapshot to the next, and reads anew
// only those that changed: with ten thousand attempts at work, reading all of them
// would be most of what a plan costs. An account may be newer than the view that a
// plan is made of. Its methods may be called concurrently.
type ledger struct {
	store *fsm.Store

	mu    sync.Mutex
	nodes map[string]*watchedAccount
}

type watchedAccount struct {
	*account
	known loads
	// changed tells, without blocking, that the account is out of date.
	changed func() bool
}

func newLedger(store *fsm.Store) *ledger {
	return &ledger{store: store, nodes: map[string]*watchedAccount{}}
}

// of returns the account of a node as it is now; it must not be changed.
func (l *ledger) of(node string) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := loads{}
	if last := l.nodes[node]; last != nil {
		if !last.changed() {
			return last.account
		}
		known = last.known
	}
	v := l.store.Watch()
	read := &watchedAccount{account: readAccount(v, l.store.Read(), node, known), known: known}
	channels := v.Changed()
	read.changed = func() bool {
		for ch := range channels {
			select {
			case <-ch:
				return true
			default:
			}
		}
		return false
	}
	l.nodes[node] = read
	return read.account
}
