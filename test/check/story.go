package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	timeFormat = "15:04:05.000000"
	// maxStory bounds the lines of a story's timeline, and around is how much of
	// it before and after the key's own events belongs to it.
	maxStory = 120
	around   = 8 * time.Second
)

// story tells what is known of a key, and of further processes: what the ledger
// lists, what the processes wrote, and the timeline of everything that concerns
// them.
func (c *checker) story(key fireKey, list []Process) string {
	var b strings.Builder
	runs := map[string]bool{}
	for _, f := range c.fires[key] {
		fmt.Fprintf(&b, "  listed: %s %s run %s version %d\n", cmp.Or(f.Outcome, "(undecided)"), f.Reason, f.RunID, f.Version)
		runs[f.RunID] = true
	}
	processes := slices.Clone(c.begun[key])
	for _, p := range list {
		if !slices.Contains(processes, p) {
			processes = append(processes, p)
		}
	}
	var times []time.Time
	if key.at != 0 {
		times = append(times, key.at.Time())
	}
	for _, p := range processes {
		c.describe(&b, p)
		runs[p.Run] = true
		times = append(times, p.Begin)
	}
	for id := range runs {
		if id == "" {
			continue
		}
		if r, ok := c.runs[id]; ok {
			fmt.Fprintf(&b, "  run %s: %s %s opened=%v condition=%v created %s\n", id, r.State, r.Reason, r.Opened, r.Condition, r.CreatedAt)
		}
		for _, a := range c.Attempts {
			if a.Run == id {
				fmt.Fprintf(&b, "  by the state: task %s shard %d attempt %d on %s: %s\n", a.Task, a.Shard, a.Number, a.Node, a.Outcome)
			}
		}
		if c.Describe != nil {
			fmt.Fprintf(&b, "  run %s:\n%s", id, c.Describe(id))
		}
	}
	c.timeline(&b, key, runs, times)
	return b.String()
}

func (c *checker) describe(b *strings.Builder, p Process) {
	end := "no end written"
	if !p.End.IsZero() {
		end = fmt.Sprintf("to %s, succeeded %v", p.End.UTC().Format(timeFormat), p.Succeeded)
	}
	since := ""
	if p.ScheduledAt != 0 {
		since = fmt.Sprintf(" (%+v)", p.Begin.Sub(p.ScheduledAt.Time()))
	}
	fmt.Fprintf(b, "  process: %s%s %s on %s: run %s task %s shard %d attempt %d fence %d pid %d\n",
		p.Begin.UTC().Format(timeFormat), since, end, p.Node, p.Run, p.Task, p.Shard, p.Attempt, p.Fence, p.PID)
}

// timeline writes the events that concern the runs or the job, and those that
// concern everybody at the time.
func (c *checker) timeline(b *strings.Builder, key fireKey, runs map[string]bool, times []time.Time) {
	var list []Event
	for _, e := range c.Timeline {
		mine := slices.ContainsFunc(e.Runs, func(id string) bool { return runs[id] })
		switch {
		case mine:
			list = append(list, e)
			times = append(times, e.At)
		case len(e.Runs) > 0:
		case e.Job.Name == "" || e.Job == key.job:
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(x, y Event) int { return x.At.Compare(y.At) })
	if len(times) > 0 {
		from := slices.MinFunc(times, time.Time.Compare).Add(-around)
		to := slices.MaxFunc(times, time.Time.Compare).Add(around)
		list = slices.DeleteFunc(list, func(e Event) bool { return e.At.Before(from) || e.At.After(to) })
	}
	for i, e := range list {
		if i == maxStory {
			fmt.Fprintf(b, "    … and %d events more\n", len(list)-maxStory)
			return
		}
		fmt.Fprintf(b, "    %s %-3s %s\n", e.At.UTC().Format(timeFormat), e.Node, e.Text)
	}
}
