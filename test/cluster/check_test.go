package cluster

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster/record"
	"github.com/rota-scheduler/rota/transport/api"
)

const second = fsm.Time(time.Second)

var tick = fsm.JobKey{Namespace: "default", Name: "tick"}

// at is an instant n seconds after a fixed one.
func at(n int) fsm.Time { return 1_700_000_000*second + fsm.Time(n)*second }

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

// TestCheck: the records of processes and the ledger of the API, put together.
func TestCheck(t *testing.T) {
	ms := time.Millisecond
	e := Evidence{
		Due: []Due{Every(tick, time.Second, 0, at(0), at(2))},
		Fires: []fsm.Fire{
			{Namespace: "default", Job: "tick", ScheduledAt: at(1), Outcome: fsm.OutcomeRan, RunID: "A"},
			{Namespace: "default", Job: "tick", ScheduledAt: at(2), Outcome: fsm.OutcomeSkipped, Reason: fsm.ReasonOverlap},
		},
		Records: process("A", at(1), 1, 2*ms, 10*ms),
	}
	want := Verdict{Due: 2, Ran: 1, Skipped: map[string]int{fsm.ReasonOverlap: 1}, Late: []time.Duration{2 * ms}}
	if diff := cmp.Diff(&want, Check(e)); diff != "" {
		t.Error(diff)
	}
	e.Records = append(e.Records, process("A", at(1), 2, 5*ms, 30*ms)...)
	var kinds []string
	for _, v := range Check(e).Violations {
		kinds = append(kinds, v.Kind)
	}
	if diff := cmp.Diff([]string{StartedTwice, TwoAtATime}, kinds); diff != "" {
		t.Error(diff)
	}
}

// TestAttempts: what the API says of attempts counts against what their processes
// wrote, also where a shard may be tried again.
func TestAttempts(t *testing.T) {
	records := append(process("A", at(1), 1, 0, time.Millisecond), process("A", at(1), 2, 2*time.Second, 3*time.Second)...)
	records = append(records, process("B", at(2), 1, 0, time.Millisecond)...)
	if diff := cmp.Diff([]string{"A"}, Repeated(records)); diff != "" {
		t.Error(diff)
	}
	for outcome, want := range map[string][]string{
		fsm.AttemptKilled: nil, fsm.AttemptLost: nil, fsm.AttemptFailed: nil,
		fsm.AttemptNever: {NeverStarted}, fsm.AttemptSucceeded: {StartedTwice},
	} {
		s := fsm.Shard{
			RunID: "A", Task: "main", Past: []fsm.Attempt{{Number: 1, Outcome: outcome}},
			Current: fsm.Attempt{Number: 2, Outcome: fsm.AttemptSucceeded},
		}
		e := Evidence{
			Due: []Due{Every(tick, time.Second, 0, at(0), at(2))},
			Fires: []fsm.Fire{
				{Namespace: "default", Job: "tick", ScheduledAt: at(1), Outcome: fsm.OutcomeRan, RunID: "A"},
				{Namespace: "default", Job: "tick", ScheduledAt: at(2), Outcome: fsm.OutcomeRan, RunID: "B"},
			},
			Records:  records,
			Attempts: AttemptsOf(&api.Run{Tasks: []api.Task{{Items: []api.Shard{{Shard: s}}}}}),
		}
		e.Due[0].Terms.Again = true
		var kinds []string
		for _, v := range Check(e).Violations {
			kinds = append(kinds, v.Kind)
		}
		if diff := cmp.Diff(want, kinds); diff != "" {
			t.Errorf("after an attempt that %s: %s", outcome, diff)
		}
	}
}

// TestProcesses: a begin without an end is a process that was killed.
func TestProcesses(t *testing.T) {
	records := process("A", at(1), 1, 0, time.Second)
	records = append(records, process("A", at(1), 2, 2*time.Second, 0)[0])
	list := Processes(records)
	if len(list) != 2 || list[0].End != at(2).Time() || !list[1].End.IsZero() || list[1].ScheduledAt != at(1) {
		t.Errorf("%+v", list)
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

// TestRecordsStandApart: records that would go with a node's disk are refused.
func TestRecordsStandApart(t *testing.T) {
	data, temp := t.TempDir(), t.TempDir()
	write := func(dir string) string {
		path := filepath.Join(dir, "records")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := apartFrom(write(temp), data, temp); err != nil {
		t.Error(err)
	}
	if err := apartFrom(write(data), data, temp); err == nil {
		t.Error("records in a data dir are taken")
	}
	// Seen from the disk of /proc, the two share one that is not the usual.
	if err := apartFrom(write(temp), data, "/proc"); err == nil {
		t.Error("records on the disk of a data dir are taken")
	}
}
