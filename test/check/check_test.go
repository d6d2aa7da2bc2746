package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
)

const (
	second = fsm.Time(time.Second)
	ms     = time.Millisecond
)

var (
	tick = fsm.JobKey{Namespace: "default", Name: "tick"}
	hand = fsm.JobKey{Namespace: "default", Name: "by-hand"}
)

// at is an instant n seconds after a fixed one, and when the same as a time.
func at(n int) fsm.Time    { return 1_700_000_000*second + fsm.Time(n)*second }
func when(n int) time.Time { return at(n).Time() }

// good is evidence of everything that the checker looks at, with nothing wrong:
// three instants, of which two ran and one was skipped; a run by hand that was
// killed once and ran again; a pause and a deletion; replicas; a recovery.
func good() Evidence {
	e := Evidence{
		Skew: 50 * ms,
		Due:  []Due{Every(tick, time.Second, 0, at(0), at(3))},
		Fires: []fsm.Fire{
			{Namespace: "default", Job: "tick", ScheduledAt: at(1), Outcome: fsm.OutcomeRan, RunID: "A"},
			{Namespace: "default", Job: "tick", ScheduledAt: at(2), Outcome: fsm.OutcomeRan, RunID: "B"},
			{Namespace: "default", Job: "tick", ScheduledAt: at(3), Outcome: fsm.OutcomeSkipped, Reason: fsm.ReasonOverlap},
		},
		Runs: []fsm.Run{{ID: "A", State: fsm.RunSucceeded}, {ID: "B", State: fsm.RunSucceeded}, {ID: "H", State: fsm.RunSucceeded}},
		Attempts: []Attempt{
			{Run: "A", Task: "t", Number: 1, Outcome: fsm.AttemptSucceeded}, {Run: "B", Task: "t", Number: 1, Outcome: fsm.AttemptSucceeded},
			{Run: "H", Task: "t", Number: 1, Outcome: fsm.AttemptKilled}, {Run: "H", Task: "t", Number: 2, Outcome: fsm.AttemptSucceeded},
		},
		Processes: []Process{
			process(tick, "A", at(1), 1, when(1), 10*ms), process(tick, "B", at(2), 1, when(2), 10*ms),
			process(hand, "H", 0, 1, when(1), 20*ms), process(hand, "H", 0, 2, when(2), 20*ms),
		},
		Calls: []Call{
			{Op: Apply, Job: tick, Mark: "v1", Begin: when(0), End: when(0)},
			{Op: Pause, Job: tick, Begin: when(4), End: when(5)},
			{Op: Run, Job: hand, RunID: "H", Begin: when(1), End: when(1)},
			{Op: Delete, Job: hand, Begin: when(8), End: when(9)},
		},
		Jobs:   []Job{{Key: tick, Mark: "v1", Paused: true}},
		Hashes: []Hash{{"n1", 7, "x"}, {"n2", 7, "x"}, {"n2", 8, "y"}},
		Recovery: &Recovery{
			Healed: when(0), Within: 500 * ms,
			Leaders: []string{"n1"}, Indexes: map[string]uint64{"n1": 8, "n2": 8},
		},
		Timeline: []Event{{At: when(1), Node: "n1", Runs: []string{"A"}, Text: "armed"}},
	}
	e.Processes[2].Succeeded = false
	return e
}

func process(job fsm.JobKey, run string, due fsm.Time, attempt int, begin time.Time, lives time.Duration) Process {
	return Process{
		Job: job, ScheduledAt: due, Run: run, Task: "t", Attempt: attempt, Fence: uint64(10 * attempt), Node: "n1",
		Begin: begin, End: begin.Add(lives), Succeeded: true,
		Terms: &Terms{Again: true, Alone: job == tick, Within: 500 * ms},
	}
}

func TestGood(t *testing.T) {
	want := &Verdict{Due: 3, Ran: 2, Skipped: map[string]int{fsm.ReasonOverlap: 1}, Late: []time.Duration{0, 0}}
	if diff := cmp.Diff(want, Check(good())); diff != "" {
		t.Error(diff)
	}
}

// TestFinds breaks one rule at a time; the checker must name it, and only it.
func TestFinds(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(e *Evidence)
		kind  string
		says  string // in the violation's text
	}{
		"a lost fire": {func(e *Evidence) {
			e.Fires, e.Processes = e.Fires[1:], e.Processes[1:]
		}, NoOutcome, "tick at 2023"},
		"an undecided fire":   {func(e *Evidence) { e.Fires[2].Outcome = "" }, NoOutcome, "(undecided)"},
		"two outcomes":        {func(e *Evidence) { e.Fires = append(e.Fires, e.Fires[0]) }, TwoOutcomes, "listed: ran"},
		"ran, not started":    {func(e *Evidence) { e.Processes = e.Processes[1:] }, RanNotStarted, "run A"},
		"again after success": {again(2, func(e *Evidence) {}), StartedTwice, "attempt 2"},
		"again after a success that only the ledger knows": {again(2, func(e *Evidence) {
			e.Processes[0].Succeeded = false
		}), StartedTwice, "attempt 2"},
		"again, not allowed": {again(2, func(e *Evidence) {
			e.Processes[0].Succeeded = false
			e.Processes[len(e.Processes)-1].Terms = &Terms{}
		}), StartedTwice, "attempt 2"},
		"one attempt twice": {again(1, func(e *Evidence) {}), StartedTwice, "attempt 1, on n1 and on n1"},
		"another run": {func(e *Evidence) {
			p := process(tick, "Z", at(1), 1, when(1).Add(100*ms), ms)
			e.Processes = append(e.Processes, p)
		}, WrongRun, "Z instead of A"},
		"skipped, started": {func(e *Evidence) {
			e.Processes = append(e.Processes, process(tick, "C", at(3), 1, when(3), ms))
		}, SkippedStarted, "listed: skipped overlap"},
		"not due": {func(e *Evidence) {
			e.Fires = append(e.Fires, fsm.Fire{Namespace: "default", Job: "tick", ScheduledAt: at(1) + second/2, Outcome: fsm.OutcomeSkipped, Reason: fsm.ReasonMissed})
		}, NotDue, ".5Z"},
		"a start without a fire": {func(e *Evidence) {
			e.Processes = append(e.Processes, process(tick, "C", at(1)+second/2, 1, when(1).Add(500*ms), ms))
		}, UnknownStart, "run C"},
		"early": {func(e *Evidence) { e.Processes[0].Begin = when(1).Add(-51 * ms) }, Early, "by 51ms"},
		"early, taken up by a person": {func(e *Evidence) {
			e.Processes[0].Begin = when(1).Add(-51 * ms)
			e.Runs[0].Retries = 1
		}, Early, "by 51ms"},
		"past its deadline": {func(e *Evidence) { shift(&e.Processes[0], 551*ms) }, PastDeadline, "551ms late, at most 500ms"},
		"past its deadline, after it was given back": {func(e *Evidence) {
			shift(&e.Processes[0], 551*ms)
			e.Processes[0].Attempt = 2
			e.Attempts[0].Outcome = fsm.AttemptNever
		}, PastDeadline, "not_started"},
		"two attempts at a time": {func(e *Evidence) { e.Processes[2].End = when(2).Add(ms) }, TwoAtATime, "H/t/0 attempt 1 on n1 and attempt 2 on n1, 1ms together"},
		"two runs at a time":     {func(e *Evidence) { e.Processes[0].End = when(2).Add(ms) }, RunsOverlap, "run A on n1 and run B on n1"},
		"the fence falls":        {func(e *Evidence) { e.Processes[3].Fence = 10 }, FenceBack, "attempt 2 has 10"},
		"never started":          {func(e *Evidence) { e.Attempts[2].Outcome = fsm.AttemptNever }, NeverStarted, "H/t/0 attempt 1 on n1"},
		"a lost apply":           {func(e *Evidence) { e.Jobs[0].Mark = "v0" }, Lost, `it is "v0"`},
		"an applied job is gone": {func(e *Evidence) { e.Jobs = nil }, Lost, "it does not exist"},
		"a deleted job is there": {func(e *Evidence) { e.Jobs = append(e.Jobs, Job{Key: hand}) }, Lost, "delete"},
		"a lost pause":           {func(e *Evidence) { e.Jobs[0].Paused = false }, Lost, "paused is false"},
		"a lost run": {func(e *Evidence) {
			e.Calls = append(e.Calls, Call{Op: Run, Job: tick, RunID: "K", Begin: when(1), End: when(1)})
		}, Lost, "run K does not exist"},
		"started while paused": {func(e *Evidence) {
			e.Processes = append(e.Processes, process(tick, "P", at(6), 1, when(6), ms))
		}, WhilePaused, "acknowledged at 22:13:25"},
		"started while deleted": {func(e *Evidence) {
			e.Processes = append(e.Processes, process(hand, "Q", 0, 1, when(10), ms))
		}, WhileDeleted, "acknowledged at 22:13:29"},
		"replicas differ":     {func(e *Evidence) { e.Hashes[1].Digest = "z" }, Diverged, "at index 7: x on [n1] z on [n2]"},
		"no leader":           {func(e *Evidence) { e.Recovery.Leaders = nil }, NotRecovered, "these nodes lead: []"},
		"two leaders":         {func(e *Evidence) { e.Recovery.Leaders = []string{"n1", "n2"} }, NotRecovered, "[n1 n2]"},
		"a replica behind":    {func(e *Evidence) { e.Recovery.Indexes["n2"] = 7 }, NotRecovered, "n2:7"},
		"a node without work": {func(e *Evidence) { e.Recovery.Unready = []string{"n2"} }, NotRecovered, "no work to n2"},
		"a ghost":             {func(e *Evidence) { e.Recovery.Ghosts = []string{"A/t/0/1 on n1"} }, NotRecovered, "A/t/0/1 on n1 runs without a process"},
		"a stuck run":         {func(e *Evidence) { e.Recovery.Stuck = []string{"run A"} }, NotRecovered, "run A does not end"},
		"the next fire is late": {func(e *Evidence) {
			e.Recovery.Probe, e.Recovery.Late = tick, 200*ms
			shift(&e.Processes[1], 300*ms)
		}, NotRecovered, "it was 300ms late"},
	} {
		t.Run(name, func(t *testing.T) {
			e := good()
			tc.spoil(&e)
			found := Check(e).Violations
			if len(found) != 1 || found[0].Kind != tc.kind || !strings.Contains(found[0].String(), tc.says) {
				t.Errorf("want one %q that says %q, found %d: %v", tc.kind, tc.says, len(found), found)
			}
		})
	}
}

// again adds a second process to run A, after the first has ended.
func again(attempt int, also func(e *Evidence)) func(e *Evidence) {
	return func(e *Evidence) {
		p := process(tick, "A", at(1), attempt, when(1).Add(100*ms), 10*ms)
		e.Processes = append(e.Processes, p)
		e.Attempts = append(e.Attempts, Attempt{Run: "A", Task: "t", Number: 2, Outcome: fsm.AttemptSucceeded})
		also(e)
	}
}

func shift(p *Process, by time.Duration) { p.Begin, p.End = p.Begin.Add(by), p.End.Add(by) }

// TestAllows: what looks like a breach and is none.
func TestAllows(t *testing.T) {
	for name, change := range map[string]func(e *Evidence){
		"a lost success is repeated": again(2, func(e *Evidence) { e.Attempts[0].Outcome = fsm.AttemptLost }),
		"late after what may have started": func(e *Evidence) {
			shift(&e.Processes[0], 700*ms)
			e.Processes[0].Attempt = 2
			e.Attempts[0].Outcome = fsm.AttemptLost
		},
		"late after an attempt that nobody lists": func(e *Evidence) {
			shift(&e.Processes[0], 700*ms)
			e.Processes[0].Attempt = 2
			e.Attempts = e.Attempts[1:]
		},
		"late, and its job deleted since": func(e *Evidence) {
			shift(&e.Processes[0], 700*ms)
			e.Processes[0].Attempt = 2
			e.Due, e.Fires, e.Runs, e.Attempts = nil, nil, e.Runs[1:], e.Attempts[1:]
		},
		"idempotent beside itself": func(e *Evidence) {
			e.Processes[2].End = when(2).Add(ms)
			e.Processes[2].Terms = &Terms{Again: true, Beside: true}
		},
		"cancelled before it began": func(e *Evidence) {
			e.Processes = e.Processes[1:]
			e.Runs[0].State = fsm.RunCancelled
		},
		"a person took it up again": func(e *Evidence) {
			shift(&e.Processes[0], 700*ms)
			e.Runs[0].Retries = 1
		},
		"a retry while it is paused": func(e *Evidence) {
			e.Processes = append(e.Processes, process(tick, "B", at(2), 2, when(6), ms))
			e.Attempts[1].Outcome = fsm.AttemptLost
		},
		"taken up by a person while it is paused": func(e *Evidence) {
			e.Processes = append(e.Processes, process(tick, "P", at(6), 1, when(6), ms))
			e.Runs = append(e.Runs, fsm.Run{ID: "P", State: fsm.RunSucceeded, Retries: 1})
		},
		"an unknown apply came through": func(e *Evidence) {
			e.Calls = append(e.Calls, Call{Op: Apply, Job: tick, Mark: "v2", Begin: when(1), Fate: Unknown})
			e.Jobs[0].Mark = "v2"
		},
		"a resume may have overtaken the pause": func(e *Evidence) {
			e.Calls = append(e.Calls, Call{Op: Resume, Job: tick, Begin: when(4), Fate: Unknown})
			e.Processes = append(e.Processes, process(tick, "P", at(6), 1, when(6), ms))
			e.Jobs[0].Paused = false
		},
		"a refused apply": func(e *Evidence) {
			e.Calls = append(e.Calls, Call{Op: Apply, Job: tick, Mark: "v2", Begin: when(1), Fate: NotDone})
		},
		"of another version, which named it": func(e *Evidence) {
			e.Due[0].Version = 2
			e.Fires = append(e.Fires, fsm.Fire{Namespace: "default", Job: "tick", ScheduledAt: at(1) + second/2, Version: 1, Outcome: fsm.OutcomeSkipped, Reason: fsm.ReasonPaused})
		},
		"one row for many": func(e *Evidence) {
			e.Fires = append(slices.Clone(e.Fires[:2]), fsm.Fire{
				Namespace: "default", Job: "tick", ScheduledAt: at(3) - second/2, Until: at(4), Count: 9, Outcome: fsm.OutcomeSkipped, Reason: fsm.ReasonMissed,
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := good()
			change(&e)
			if found := Check(e).Violations; len(found) > 0 {
				t.Error(found)
			}
		})
	}
}

// TestStory: a violation tells what concerns its key, in order, and nothing of
// others.
func TestStory(t *testing.T) {
	e := good()
	e.Fires[0].Outcome = ""
	e.Timeline = []Event{
		{At: when(1).Add(2 * ms), Node: "n2", Runs: []string{"A"}, Text: "second"},
		{At: when(1), Node: "n1", Runs: []string{"A"}, Text: "first"},
		{At: when(1), Runs: []string{"B"}, Text: "of another run"},
		{At: when(1), Job: hand, Text: "of another job"},
		{At: when(1).Add(3 * ms), Text: "of everybody"},
		{At: when(100), Text: "much later"},
	}
	story := Check(e).Violations[0].Story
	last := -1
	for _, want := range []string{"(undecided)", "process: 22:13:21.000000", "first", "second", "of everybody"} {
		i := strings.Index(story, want)
		if i <= last {
			t.Errorf("%q is missing or out of order in:\n%s", want, story)
		}
		last = i
	}
	for _, unwanted := range []string{"another", "later"} {
		if strings.Contains(story, unwanted) {
			t.Errorf("%q does not belong into:\n%s", unwanted, story)
		}
	}
}
