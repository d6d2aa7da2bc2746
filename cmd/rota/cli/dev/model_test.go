package dev

import (
	"fmt"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

var present = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) fsm.Time { return fsm.At(present.Add(d)) }

// tick is a run of the job tick that was due that long from the present.
func tick(index uint64, due time.Duration, state fsm.RunState) fsm.Run {
	run := fsm.Run{
		ID: fmt.Sprintf("RUN%d", due/time.Millisecond), Namespace: fsm.DefaultNamespace, Job: "tick",
		State: state, ScheduledAt: at(due), ModifyIndex: index,
	}
	if state != fsm.RunPending {
		run.StartedAt = at(due + 2*time.Millisecond)
	}
	if state.Ended() {
		run.EndedAt = at(due + 3*time.Millisecond)
	}
	return run
}

func TestPutRun(t *testing.T) {
	m := newModel(present)
	steps := []struct {
		name    string
		run     fsm.Run
		node    string
		changed bool
		wantRow runRow
	}{
		{"new", tick(1, 0, fsm.RunPending), "", true, runRow{tick(1, 0, fsm.RunPending), ""}},
		{"the same again", tick(1, 0, fsm.RunPending), "", false, runRow{tick(1, 0, fsm.RunPending), ""}},
		{"started", tick(3, 0, fsm.RunRunning), "n1", true, runRow{tick(3, 0, fsm.RunRunning), "n1"}},
		{"an older state late", tick(2, 0, fsm.RunPending), "", false, runRow{tick(3, 0, fsm.RunRunning), "n1"}},
		{"ended, node unknown", tick(4, 0, fsm.RunSucceeded), "", true, runRow{tick(4, 0, fsm.RunSucceeded), "n1"}},
		{"another node", tick(4, 0, fsm.RunSucceeded), "n1,n2", true, runRow{tick(4, 0, fsm.RunSucceeded), "n1,n2"}},
	}
	for _, s := range steps {
		row, changed := m.putRun(s.run, s.node)
		if changed != s.changed || row.node != s.wantRow.node || row.run.State != s.wantRow.run.State {
			t.Errorf("%s: %v %s on %q", s.name, changed, row.run.State, row.node)
		}
	}
	if m.ended[fsm.RunSucceeded] != 1 || len(m.late) != 1 || m.late[0] != 2*time.Millisecond {
		t.Errorf("counted %v, %v", m.ended, m.late)
	}
}

func TestModelIsBounded(t *testing.T) {
	m := newModel(present)
	for i := range maxSamples + maxRuns {
		m.putRun(tick(uint64(i), time.Duration(i)*time.Second, fsm.RunSucceeded), "n1")
		m.addNotice(present, "text")
	}
	if len(m.runs) != maxRuns || len(m.late) != maxSamples || len(m.notices) != maxNotices {
		t.Errorf("%d runs, %d samples, %d notices", len(m.runs), len(m.late), len(m.notices))
	}
	if got := m.ended[fsm.RunSucceeded]; got != maxSamples+maxRuns {
		t.Errorf("counted %d", got)
	}
	if newest := m.sorted()[0].run.ScheduledAt; newest != at((maxSamples+maxRuns-1)*time.Second) {
		t.Errorf("the newest is of %s", newest)
	}
}

// TestBoundKeepsActiveRuns: old as it may be, what runs is still shown.
func TestBoundKeepsActiveRuns(t *testing.T) {
	m := newModel(present)
	m.putRun(tick(1, -time.Hour, fsm.RunRunning), "n1")
	for i := range maxRuns + 10 {
		m.putRun(tick(uint64(i), time.Duration(i)*time.Second, fsm.RunSucceeded), "n1")
	}
	if m.runs[tick(1, -time.Hour, "").ID] == nil {
		t.Error("the running one was dropped")
	}
}

func TestPutFire(t *testing.T) {
	m := newModel(present)
	m.putRun(tick(1, 0, fsm.RunPending), "")
	m.putRun(tick(2, time.Second, fsm.RunPending), "")
	fire := fsm.Fire{Namespace: fsm.DefaultNamespace, Job: "tick", ScheduledAt: at(0), Outcome: fsm.OutcomeRan}
	if m.putFire(fire) || len(m.runs) != 2 {
		t.Error("a fire that ran is told by its run")
	}
	fire.Outcome, fire.Reason = fsm.OutcomeSkipped, fsm.ReasonOverlap
	if !m.putFire(fire) || len(m.runs) != 1 {
		t.Error("a skipped fire ends its run")
	}
	fire.ScheduledAt, fire.Reason, fire.Count = at(time.Minute), fsm.ReasonMissed, 40
	m.putFire(fire)
	if m.skipped[fsm.ReasonOverlap] != 1 || m.skipped[fsm.ReasonMissed] != 40 {
		t.Errorf("counted %v", m.skipped)
	}
}

func TestLateness(t *testing.T) {
	m := newModel(present)
	if _, _, ok := m.lateness(); ok {
		t.Error("there was no fire")
	}
	for i := 1; i <= 100; i++ {
		m.late = append(m.late, time.Duration(i))
	}
	if p50, p99, _ := m.lateness(); p50 != 51 || p99 != 100 {
		t.Errorf("p50 %d, p99 %d", p50, p99)
	}
}

// TestManualRunHasNoLateness: nobody said when it was due.
func TestManualRunHasNoLateness(t *testing.T) {
	m := newModel(present)
	run := tick(1, 0, fsm.RunRunning)
	run.ScheduledAt = 0
	row, _ := m.putRun(run, "n1")
	if len(m.late) != 0 || row.late() != "" {
		t.Errorf("late %v %q", m.late, row.late())
	}
}

// picture is a model with something of everything.
func picture() *model {
	m := newModel(present.Add(-42 * time.Second))
	m.members = []memberInfo{{"n1", 101, "http://127.0.0.1:7700"}, {"n2", 0, "http://127.0.0.1:7710"}, {"n3", 103, "http://127.0.0.1:7720"}}
	m.nodes = []api.Node{
		{Node: fsm.Node{Name: "n1", Status: fsm.NodeReady}, Voter: true, Armed: 3},
		{Node: fsm.Node{Name: "n2", Status: fsm.NodeReady}, Voter: true},
		{Node: fsm.Node{Name: "n3", Status: fsm.NodeReady}, Voter: true, Leader: true, Running: 1},
	}
	m.addNotice(present.Add(-time.Second), "n2 (pid 102) is gone: signal: killed. It is started again in 2s.")
	m.putRun(tick(1, 3*time.Second, fsm.RunPending), "")
	m.putRun(tick(2, -time.Second, fsm.RunRunning), "n3")
	m.putRun(tick(3, -2*time.Second, fsm.RunSucceeded), "n1")
	failed := tick(4, -3*time.Second, fsm.RunFailed)
	failed.Reason = "exit code 1"
	m.putRun(failed, "n1,n3")
	m.putFire(fsm.Fire{Job: "slow", Outcome: fsm.OutcomeSkipped, Reason: fsm.ReasonOverlap})
	return m
}
