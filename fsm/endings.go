package fsm

import "slices"

// Endings tells which tasks of a job have surely ended when another one starts.
// Those that it depends on have, whatever became of them. What those depend on has
// only if they ran: a task that will never run ends at once, while others before it
// may still be at work. So it goes on through a task that waits for successes, and
// stops at one that takes any end.
type Endings struct {
	bit    map[string]int      // of each task that is asked about
	before map[string][]uint64 // by task: the bits of those that have ended
}

// NewEndings prepares answers about the given tasks. Its cost grows with the
// dependencies of the job, and with the number of those tasks divided by 64.
func NewEndings(s *JobSpec, about []string) *Endings {
	e := &Endings{bit: make(map[string]int, len(about)), before: make(map[string][]uint64, len(s.Tasks))}
	for _, name := range about {
		if _, known := e.bit[name]; !known {
			e.bit[name] = len(e.bit)
		}
	}
	words := (len(e.bit) + 63) / 64
	for _, t := range inOrder(s) {
		set := make([]uint64, words)
		for _, d := range t.DependsOn {
			if n, asked := e.bit[d]; asked {
				set[n/64] |= 1 << (n % 64)
			}
			if t.Condition() == RunIfAllSuccess {
				for i, w := range e.before[d] {
					set[i] |= w
				}
			}
		}
		e.before[t.Name] = set
	}
	return e
}

// Before says whether a task, one of those that were named, has surely ended when
// t starts.
func (e *Endings) Before(t *Task, name string) bool {
	if slices.Contains(t.DependsOn, name) {
		return true
	}
	n, asked := e.bit[name]
	set := e.before[t.Name]
	return asked && n/64 < len(set) && set[n/64]&(1<<(n%64)) != 0
}
