package dev

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

const clock = "15:04:05"

// view lays the model out for a screen: at most its height of lines, none wider
// than it.
func (m *model) view(now time.Time, screen render.Screen) []string {
	lines := []string{m.headline(now, screen), ""}
	lines = append(lines, m.nodeTable().Lines(screen)...)
	lines = append(lines, "")
	lines = append(lines, m.hints(screen)...)
	for _, n := range m.notices {
		text := render.Cut(n.at.Format(clock)+"  "+render.Clean(n.text), screen.Width)
		lines = append(lines, render.Paint(text, render.Warn, screen.Color))
	}
	lines = append(lines, "", m.summary(screen))
	if room := screen.Height - len(lines); room > 1 {
		lines = append(lines, m.runTable(now, room-1).Lines(screen)...)
	}
	return lines[:min(len(lines), screen.Height)]
}

func (m *model) headline(now time.Time, screen render.Screen) string {
	up := 0
	for _, member := range m.members {
		if member.pid != 0 {
			up++
		}
	}
	text := fmt.Sprintf("rota dev   %d of %d nodes up   %s   Ctrl-C stops everything",
		up, len(m.members), render.Span(now.Sub(m.began).Truncate(time.Second)))
	return render.Paint(render.Cut(text, screen.Width), render.Bold, screen.Color)
}

// nodeTable shows the members in their order, with what the cluster says of
// each.
func (m *model) nodeTable() *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Title: "NODE", Min: 4}, {Title: "ROLE", Min: 8}, {Title: "STATUS", Min: 9}, {Title: "PID", Right: true, Min: 7},
		{Title: "RUNNING", Right: true}, {Title: "ARMED", Right: true, Min: 6}, {Title: "HTTP"},
	}}
	for _, member := range m.members {
		n := m.node(member.name)
		role := render.Cell{Text: "voter", Style: render.Dim}
		status := render.Cell{Text: string(n.Status), Style: render.NodeStyle(n.Status)}
		pid := render.Text(fmt.Sprint(member.pid))
		switch {
		case member.pid == 0:
			role, status, pid = render.Text(""), render.Cell{Text: "down", Style: render.Bad}, render.Text("")
		case n.Name == "":
			role, status = render.Text(""), render.Cell{Text: "starting", Style: render.Dim}
		case n.Leader:
			role = render.Cell{Text: "★ leader", Style: render.Good}
		case !n.Voter:
			role.Text = "member"
		}
		t.Add(render.Text(member.name), role, status, pid, render.Text(fmt.Sprint(n.Running)),
			render.Text(fmt.Sprint(n.Armed)), render.Text(member.addr))
	}
	return t
}

// node returns what the cluster says of a node; zero if it does not know it.
func (m *model) node(name string) api.Node {
	for i := range m.nodes {
		if m.nodes[i].Name == name {
			return m.nodes[i]
		}
	}
	return api.Node{}
}

// hints are the two lines that say what to do in another terminal.
func (m *model) hints(screen render.Screen) []string {
	return []string{
		render.Cut("Look closer from another terminal:  "+m.exportLine(), screen.Width),
		render.Cut("Kill the leader and watch the runs go on:  "+m.killLine(), screen.Width),
	}
}

// exportLine makes the other commands talk to this cluster.
func (m *model) exportLine() string {
	for _, member := range m.members {
		if member.pid != 0 {
			return "export ROTA_ADDR=" + member.addr
		}
	}
	return "(no node is up)"
}

// killLine kills the node that leads.
func (m *model) killLine() string {
	leader := m.leader()
	for _, member := range m.members {
		if member.name == leader && member.pid != 0 {
			return fmt.Sprintf("kill -9 %d", member.pid)
		}
	}
	return "(no leader now)"
}

// summary is the line of totals.
func (m *model) summary(screen render.Screen) string {
	return render.Cut(strings.Join(m.totals(), "   "), screen.Width)
}

// totals counts what happened so far.
func (m *model) totals() []string {
	active := 0
	for _, row := range m.runs {
		if row.run.State == fsm.RunRunning {
			active++
		}
	}
	parts := []string{
		fmt.Sprintf("%d running", active),
		fmt.Sprintf("%d succeeded", m.ended[fsm.RunSucceeded]),
		fmt.Sprintf("%d failed", m.ended[fsm.RunFailed]),
	}
	if n := m.ended[fsm.RunCancelled]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d cancelled", n))
	}
	for _, reason := range slices.Sorted(maps.Keys(m.skipped)) {
		parts = append(parts, fmt.Sprintf("%d skipped (%s)", m.skipped[reason], reason))
	}
	if p50, p99, ok := m.lateness(); ok {
		parts = append(parts, fmt.Sprintf("late: half within %s, 99%% within %s", render.Span(p50), render.Span(p99)))
	}
	return parts
}

// runTable shows the newest runs. Runs that are not due yet are left out, and
// so are the hours of runs that are: the seconds tell them apart.
func (m *model) runTable(now time.Time, limit int) *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Title: "DUE", Min: 8}, {Title: "JOB", Flexible: true, Min: 20}, {Title: "STATE", Min: 9}, {Title: "NODE", Min: 4},
		{Title: "LATE", Right: true, Min: 6}, {Title: "TOOK", Right: true, Min: 6}, {Title: "RUN", Flexible: true, Min: 26},
		{Title: "WHY", Flexible: true},
	}}
	shown := 0
	for _, row := range m.sorted() {
		if shown == limit {
			break
		}
		r := &row.run
		if r.State == fsm.RunPending && row.instant().Time().After(now) {
			continue
		}
		shown++
		t.Add(render.Text(row.instant().Time().In(now.Location()).Format(clock)), render.Text(r.JobKey().String()),
			render.State(r.State), render.Text(row.node), render.Text(row.late()),
			render.Text(render.Took(r.StartedAt, r.EndedAt, now)), render.Text(r.ID), render.Text(r.Reason))
	}
	return t
}

// late says how long after it was due the run started.
func (r *runRow) late() string {
	if r.run.ScheduledAt == 0 {
		return ""
	}
	return render.Late(max(r.run.ScheduledAt, r.run.NotBefore), r.run.StartedAt)
}

// runLine is a run in a pipe: time, job, run, state, node, lateness, and the
// reason where there is one.
func runLine(now time.Time, row *runRow) string {
	r := &row.run
	return plainLine(now, r.JobKey().String(), r.ID, string(r.State), row.node, row.late(), r.Reason)
}

// fireLine is a fire that was skipped, in the same columns.
func fireLine(now time.Time, fire *fsm.Fire) string {
	key := fsm.JobKey{Namespace: fire.Namespace, Name: fire.Job}
	due := fire.ScheduledAt.Time().In(now.Location()).Format(clock)
	return plainLine(now, key.String(), "", fsm.OutcomeSkipped, "", "", fire.Reason+", was due at "+due)
}

func plainLine(now time.Time, job, run, state, node, late, reason string) string {
	for _, field := range []*string{&run, &node, &late} {
		if *field == "" {
			*field = "-"
		}
	}
	line := fmt.Sprintf("%s  %-16s  %-26s  %-9s  %-5s  %6s  %s",
		now.Format("15:04:05.000"), job, run, state, node, late, render.Clean(reason))
	return strings.TrimRight(line, " ")
}
