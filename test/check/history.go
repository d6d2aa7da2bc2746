package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// history checks that what was acknowledged is there in the end, and that nothing
// starts which the API said would not.
func (c *checker) history() {
	jobs := map[fsm.JobKey][]Call{}
	var order []fsm.JobKey
	for _, call := range c.Calls {
		if call.Fate == NotDone {
			continue
		}
		if jobs[call.Job] == nil {
			order = append(order, call.Job)
		}
		jobs[call.Job] = append(jobs[call.Job], call)
	}
	for _, key := range order {
		calls := jobs[key]
		c.content(key, calls)
		c.paused(key, calls)
		c.runsKept(calls)
		c.quiet(calls)
	}
}

// last returns the calls of the given kinds that may have been the last to take
// effect: those after whose end no other, acknowledged one began.
func last(calls []Call, ops ...Op) []Call {
	var list []Call
	for _, a := range calls {
		if !slices.Contains(ops, a.Op) {
			continue
		}
		overtaken := slices.ContainsFunc(calls, func(b Call) bool {
			return slices.Contains(ops, b.Op) && b.Fate == Done && a.Fate == Done && b.Begin.After(a.End)
		})
		if !overtaken {
			list = append(list, a)
		}
	}
	return list
}

// content checks that the job is what some last change made it.
func (c *checker) content(key fsm.JobKey, calls []Call) {
	candidates := last(calls, Apply, Delete)
	if len(candidates) == 0 || !slices.ContainsFunc(candidates, func(a Call) bool { return a.Fate == Done }) {
		return
	}
	job := c.jobOf(key)
	for _, a := range candidates {
		switch {
		case a.Op == Delete && job == nil, a.Op == Apply && job != nil && job.Mark == a.Mark:
			return
		}
	}
	is := "it does not exist"
	if job != nil {
		is = fmt.Sprintf("it is %q", job.Mark)
	}
	c.addCall(candidates[len(candidates)-1], is)
}

// paused checks that the last acknowledged pause or resume holds.
func (c *checker) paused(key fsm.JobKey, calls []Call) {
	candidates := last(calls, Pause, Resume, Delete)
	job := c.jobOf(key)
	if job == nil || len(candidates) == 0 || !slices.ContainsFunc(candidates, func(a Call) bool { return a.Fate == Done }) {
		return
	}
	if slices.ContainsFunc(candidates, func(a Call) bool { return (a.Op == Pause) == job.Paused }) {
		return
	}
	c.addCall(candidates[len(candidates)-1], fmt.Sprintf("paused is %v", job.Paused))
}

// runsKept checks that a run that was acknowledged exists, unless its job may
// have been deleted since.
func (c *checker) runsKept(calls []Call) {
	if c.Runs == nil {
		return
	}
	for _, r := range calls {
		if r.Op != Run || r.Fate != Done {
			continue
		}
		deleted := slices.ContainsFunc(calls, func(d Call) bool {
			return d.Op == Delete && (d.Fate == Unknown || d.End.After(r.Begin))
		})
		if _, kept := c.runs[r.RunID]; !kept && !deleted {
			c.addCall(r, "run "+r.RunID+" does not exist")
		}
	}
}

func (c *checker) jobOf(key fsm.JobKey) *Job {
	for i := range c.Jobs {
		if c.Jobs[i].Key == key {
			return &c.Jobs[i]
		}
	}
	return nil
}

func (c *checker) addCall(call Call, detail string) {
	detail = fmt.Sprintf("%s %s of %s: %s", call.Op, call.Mark, call.Begin.UTC().Format(timeFormat), detail)
	c.found.Violations = append(c.found.Violations, Violation{
		Kind: Lost, Job: call.Job, Detail: detail, Story: c.story(fireKey{job: call.Job}, nil),
	})
}

// quiet checks that nothing started between the acknowledgement of a pause or a
// deletion and the next call that may have ended it. A person may still take up a
// run of a paused job, as they may start one.
func (c *checker) quiet(calls []Call) {
	for _, a := range calls {
		if a.Fate != Done || (a.Op != Pause && a.Op != Delete) {
			continue
		}
		until, bounded := c.quietUntil(a, calls)
		if bounded && !until.After(a.End) {
			continue
		}
		for _, p := range c.Processes {
			if p.Job != a.Job || !p.Begin.After(a.End.Add(c.ExecSlack)) || (bounded && !p.Begin.Before(until)) {
				continue
			}
			switch {
			case a.Op == Delete:
				c.addOf(WhileDeleted, fmt.Sprintf("acknowledged at %s", a.End.UTC().Format(timeFormat)), p)
			case p.ScheduledAt != 0 && c.opens(p) && c.runs[p.Run].Retries == 0:
				c.addOf(WhilePaused, fmt.Sprintf("acknowledged at %s", a.End.UTC().Format(timeFormat)), p)
			}
		}
	}
}

// quietUntil returns the earliest begin of a call that may have undone a.
func (c *checker) quietUntil(a Call, calls []Call) (until time.Time, bounded bool) {
	for _, b := range calls {
		undoes := b.Op == Apply && a.Op == Delete || a.Op == Pause && (b.Op == Resume || b.Op == Delete)
		if !undoes || (b.Fate == Done && b.End.Before(a.Begin)) {
			continue
		}
		if !bounded || b.Begin.Before(until) {
			until, bounded = b.Begin, true
		}
	}
	return until, bounded
}

// opens says whether a process is the first of its run: a run that is known to
// have started goes on through a pause. One that may have started before is taken
// for known.
func (c *checker) opens(p Process) bool {
	for _, other := range c.begun[keyOf(p)] {
		if other.Run == p.Run {
			return other == p && !c.maybeBefore(p)
		}
	}
	return false
}
