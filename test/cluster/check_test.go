package cluster

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster/record"
)

const second = fsm.Time(time.Second)

var tick = fsm.JobKey{Namespace: "default", Name: "tick"}

// at is an instant n seconds after a fixed one.
func at(n int) fsm.Time { return 1_700_000_000*second + fsm.Time(n)*second }

// good is the evidence of three instants: two ran, on two nodes, and the last
// was skipped.
func good() Evidence {
	e := Evidence{Due: []Due{Every(tick, time.Second, 0, at(0), at(3))}}
	for i, run := range []string{"A", "B"} {
		e.Fires = append(e.Fires, fsm.Fire{Namespace: "default", Job: "tick", ScheduledAt: at(i + 1), Outcome: fsm.OutcomeRan, RunID: run})
		e.Records = append(e.Records, process(run, at(i+1), 1, 2*time.Millisecond, 10*time.Millisecond)...)
	}
	e.Fires = append(e.Fires, fsm.Fire{Namespace: "default", Job: "tick", ScheduledAt: at(3), Outcome: fsm.OutcomeSkipped, Reason: fsm.ReasonOverlap})
	return e
}

// process is the record of one process, by its begin and end after the instant.
func process(run string, due fsm.Time, attempt int, begin, end time.Duration) []record.Record {
	r := record.Record{
		Event: record.Begin, Namespace: "default", Job: "tick", ScheduledAt: due.Time(), Run: run, Task: "main",
		Attempt: attempt, Fence: uint64(attempt), Node: "n1", PID: 100 + attempt, At: due.Time().Add(begin),
	}
	e := r
	e.Event, e.At = record.End, due.Time().Add(end)
	return []record.Record{r, e}
}

func TestCheckGood(t *testing.T) {
	v := Check(good())
	want := Verdict{Due: 3, Ran: 2, Skipped: map[string]int{fsm.ReasonOverlap: 1}, Late: []time.Duration{2e6, 2e6}}
	if diff := cmp.Diff(&want, v); diff != "" {
		t.Error(diff)
	}
}

// TestCheckFinds breaks each promise; the checker must name it, and only it.
func TestCheckFinds(t *testing.T) {
	ms := time.Millisecond
	for name, tc := range map[string]struct {
		spoil func(e *Evidence)
		want  []string
	}{
		"a lost fire":       {func(e *Evidence) { e.Fires, e.Records = e.Fires[1:], e.Records[2:] }, []string{NoOutcome}},
		"an undecided fire": {func(e *Evidence) { e.Fires[2].Outcome = "" }, []string{NoOutcome}},
		"two outcomes":      {func(e *Evidence) { e.Fires = append(e.Fires, e.Fires[0]) }, []string{TwoOutcomes}},
		"ran, not started":  {func(e *Evidence) { e.Records = e.Records[2:] }, []string{RanNotStarted}},
		"a second attempt": {
			func(e *Evidence) { e.Records = append(e.Records, process("A", at(1), 2, 20*ms, 30*ms)...) },
			[]string{StartedTwice},
		},
		"two at a time": {
			func(e *Evidence) { e.Records = append(e.Records, process("A", at(1), 2, 5*ms, 30*ms)...) },
			[]string{StartedTwice, TwoAtATime},
		},
		"another run": {
			func(e *Evidence) { e.Records = append(e.Records, process("Z", at(1), 1, 20*ms, 30*ms)...) },
			[]string{WrongRun},
		},
		"skipped, started": {
			func(e *Evidence) { e.Records = append(e.Records, process("C", at(3), 1, 2*ms, 3*ms)...) },
			[]string{SkippedStarted},
		},
		"early": {func(e *Evidence) { e.Records[0].At = at(1).Time().Add(-Skew - ms) }, []string{Early}},
		"the same attempt again": {
			func(e *Evidence) {
				e.Due[0].Terms.Again = true
				e.Records = append(e.Records, process("A", at(1), 1, 20*ms, 30*ms)...)
			},
			[]string{StartedTwice},
		},
		"past its deadline": {
			func(e *Evidence) {
				e.Due[0].Terms.Within = time.Second
				e.Records[0].At = at(1).Time().Add(time.Second + ExecSlack + ms)
			},
			[]string{Late},
		},
		"two runs at a time": {
			func(e *Evidence) {
				e.Due[0].Terms.Alone = true
				e.Records[1].At = at(2).Time().Add(3 * ms)
			},
			[]string{TwoRuns},
		},
		"two at a time, one of them killed": {
			func(e *Evidence) {
				e.Due[0].Terms.Again = true
				e.Records[1].Event = record.Alive
				e.Records = append(e.Records, process("A", at(1), 2, 9*ms, 30*ms)...)
			},
			[]string{TwoAtATime},
		},
		"an instant not due": {
			func(e *Evidence) {
				e.Fires = append(e.Fires, fsm.Fire{Namespace: "default", Job: "tick", ScheduledAt: at(1) + second/2, Outcome: fsm.OutcomeSkipped})
			},
			[]string{NotDue},
		},
		"a start without a fire": {
			func(e *Evidence) {
				e.Records = append(e.Records, process("C", at(1)+second/2, 1, 2*ms, 3*ms)...)
			},
			[]string{UnknownStart},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := good()
			tc.spoil(&e)
			var kinds []string
			for _, v := range Check(e).Violations {
				kinds = append(kinds, v.Kind)
			}
			slices.Sort(kinds)
			slices.Sort(tc.want)
			if diff := cmp.Diff(tc.want, kinds); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCheckTerms: what a job's terms allow is no violation.
func TestCheckTerms(t *testing.T) {
	ms := time.Millisecond
	e := good()
	e.Due[0].Terms = Terms{Again: true, Beside: true, Cut: true, Within: time.Second}
	e.Records = append(e.Records[:2], process("A", at(1), 2, 5*ms, 2000*ms)...)
	if v := Check(e); len(v.Violations) > 0 {
		t.Error(v.Violations)
	}
}

// TestCheckSummaryRow: one row may stand for many missed instants.
func TestCheckSummaryRow(t *testing.T) {
	e := Evidence{
		Due: []Due{Every(tick, time.Second, 0, at(0), at(5))},
		Fires: []fsm.Fire{{
			Namespace: "default", Job: "tick", ScheduledAt: at(1), Until: at(5), Count: 5,
			Outcome: fsm.OutcomeSkipped, Reason: fsm.ReasonMissed,
		}},
	}
	v := Check(e)
	if len(v.Violations) > 0 || v.Skipped[fsm.ReasonMissed] != 5 {
		t.Errorf("got %+v", v)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	for _, want := range append(process("A", at(1), 3, time.Millisecond, time.Second), record.Record{
		Event: record.Begin, Namespace: "default", Job: "by-hand", Run: "B", Task: "main", At: at(2).Time(),
	}) {
		got, err := record.Parse(want.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	for _, line := range []string{"", "begin", malformed(12, "x"), malformed(13, "1")} {
		if r, err := record.Parse(line); err == nil {
			t.Errorf("%q was read as %+v", line, r)
		}
	}
}

// malformed returns a line of n fields.
func malformed(n int, field string) string {
	line := record.Begin
	for range n - 1 {
		line += "\t" + field
	}
	return line
}
