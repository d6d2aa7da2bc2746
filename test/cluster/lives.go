package cluster

import (
	"maps"
	"slices"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster/record"
)

// together finds attempts of one shard, and runs of a job that runs one at a
// time, whose lives overlap. Of a process that was killed only what is known
// counts.
func (c *checker) together() {
	attempts, runs := map[string][]life{}, map[string][]life{}
	for _, l := range c.lives() {
		job := fsm.JobKey{Namespace: l.begin.Namespace, Name: l.begin.Job}
		terms := c.terms[job]
		if !terms.Beside {
			attempts[shardOf(l.begin)] = append(attempts[shardOf(l.begin)], l)
		}
		if terms.Alone {
			runs[job.String()] = append(runs[job.String()], l)
		}
	}
	c.apart(attempts, TwoAtATime, func(life, life) bool { return true })
	c.apart(runs, TwoRuns, func(a, b life) bool { return a.begin.Run != b.begin.Run })
}

// life is a process from its begin to its last sign of life, which is zero if it
// gave none.
type life struct {
	begin record.Record
	end   time.Time
}

// lives returns the processes by their begins.
func (c *checker) lives() []life {
	type process struct {
		shard   string
		attempt int
		node    string
		pid     int
	}
	var all []life
	index := map[process]int{}
	for _, r := range c.Records {
		p := process{shardOf(r), r.Attempt, r.Node, r.PID}
		if r.Event == record.Begin {
			index[p] = len(all)
			all = append(all, life{begin: r})
		} else if i, ok := index[p]; ok {
			all[i].end = r.At
		}
	}
	slices.SortStableFunc(all, func(a, b life) int { return a.begin.At.Compare(b.begin.At) })
	return all
}

// apart finds lives of one list that overlap. Each is compared with the one that
// has lived longest so far, not only with the one before.
func (c *checker) apart(lists map[string][]life, kind string, counts func(a, b life) bool) {
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		list := lists[name]
		longest := list[0]
		for _, l := range list[1:] {
			if longest.end.After(l.begin.At) && counts(longest, l) {
				key, _ := keyOf(l.begin)
				c.add(kind, key)
			}
			if l.end.After(longest.end) {
				longest = l
			}
		}
	}
}
