package dev

import (
	"slices"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// Bounds of what is kept.
const (
	maxRuns    = 300
	maxNotices = 4
	maxSamples = 1000
)

// model is what is known of the cluster. It is a plain value with one owner;
// nothing in it looks at a clock.
type model struct {
	began   time.Time
	nodes   []api.Node
	members []memberInfo
	runs    map[string]*runRow
	notices []notice
	// ended counts ended runs by their state, skipped counts fires by reason.
	ended   map[fsm.RunState]int
	skipped map[string]int
	// late holds the newest latenesses of fires, next where the next one goes.
	late []time.Duration
	next int
}

// memberInfo is what rota dev itself knows of a node.
type memberInfo struct {
	name string
	pid  int // 0 while it is down
	addr string
}

// runRow is a run and the node that it started on.
type runRow struct {
	run  fsm.Run
	node string
}

type notice struct {
	at   time.Time
	text string
}

func newModel(began time.Time) *model {
	return &model{
		began: began, runs: map[string]*runRow{},
		ended: map[fsm.RunState]int{}, skipped: map[string]int{},
	}
}

// putRun takes in a newer state of a run. It returns its row, and whether that
// differs in something that is shown.
func (m *model) putRun(run fsm.Run, node string) (runRow, bool) {
	old := m.runs[run.ID]
	if old != nil && old.run.ModifyIndex > run.ModifyIndex {
		return *old, false
	}
	row := &runRow{run: run, node: node}
	if old != nil && node == "" {
		row.node = old.node
	}
	m.runs[run.ID] = row
	m.count(old, row)
	m.forgetOld()
	return *row, old == nil || old.run.State != run.State || old.node != row.node
}

// count keeps the numbers: each run's end and each fire's lateness once.
func (m *model) count(old, row *runRow) {
	run := &row.run
	if run.State.Ended() && (old == nil || !old.run.State.Ended()) {
		m.ended[run.State]++
	}
	if run.ScheduledAt == 0 || run.StartedAt == 0 || (old != nil && old.run.StartedAt != 0) {
		return
	}
	late := run.StartedAt.Sub(max(run.ScheduledAt, run.NotBefore))
	if len(m.late) < maxSamples {
		m.late = append(m.late, late)
		return
	}
	m.late[m.next] = late
	m.next = (m.next + 1) % maxSamples
}

// forgetOld drops the oldest ended runs past the bound, or if none has ended the
// oldest.
func (m *model) forgetOld() {
	if len(m.runs) <= maxRuns {
		return
	}
	rows := m.sorted()
	slices.Reverse(rows)
	for _, row := range rows {
		if row.run.State.Ended() {
			delete(m.runs, row.run.ID)
			return
		}
	}
	delete(m.runs, rows[0].run.ID)
}

// putFire takes in the outcome of a fire. A fire that is skipped makes an end of
// the run that waited for it. It returns whether that is news.
func (m *model) putFire(fire fsm.Fire) bool {
	if fire.Outcome != fsm.OutcomeSkipped {
		return false
	}
	for id, row := range m.runs {
		if row.run.ScheduledAt == fire.ScheduledAt && row.run.JobKey() == (fsm.JobKey{Namespace: fire.Namespace, Name: fire.Job}) {
			delete(m.runs, id)
		}
	}
	m.skipped[fire.Reason] += max(1, fire.Count)
	return true
}

// leader returns the name of the node that leads, or "".
func (m *model) leader() string {
	for i := range m.nodes {
		if m.nodes[i].Leader {
			return m.nodes[i].Name
		}
	}
	return ""
}

// addNotice adds a line about what happened to the cluster itself.
func (m *model) addNotice(at time.Time, text string) {
	m.notices = append(m.notices, notice{at, text})
	if len(m.notices) > maxNotices {
		m.notices = m.notices[1:]
	}
}

// sorted returns the runs, newest first; runs of one instant by job.
func (m *model) sorted() []*runRow {
	rows := make([]*runRow, 0, len(m.runs))
	for _, row := range m.runs {
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b *runRow) int {
		switch ta, tb := a.instant(), b.instant(); {
		case ta != tb && ta > tb:
			return -1
		case ta != tb:
			return 1
		case a.run.Job != b.run.Job && a.run.Job < b.run.Job:
			return -1
		case a.run.Job != b.run.Job:
			return 1
		case a.run.ID < b.run.ID:
			return -1
		default:
			return 1
		}
	})
	return rows
}

// instant is when the run is due, or was made.
func (r *runRow) instant() fsm.Time {
	if r.run.ScheduledAt != 0 {
		return r.run.ScheduledAt
	}
	return r.run.CreatedAt
}

// lateness returns the middle and the 99th percentile of the newest fires; false
// if there were none.
func (m *model) lateness() (p50, p99 time.Duration, ok bool) {
	if len(m.late) == 0 {
		return 0, 0, false
	}
	sorted := slices.Sorted(slices.Values(m.late))
	return sorted[len(sorted)/2], sorted[len(sorted)*99/100], true
}
