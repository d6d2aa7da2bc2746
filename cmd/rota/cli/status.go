package cli

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status RUN",
		Short: "Show a run: its tasks, where each attempt ran, and why it waits or failed",
		Long: `Shows a run, by its id or the first six or more characters of it: each attempt
of each shard of each task, where it ran, how it ended, and what is waited for.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			run, _, err := client.Run(cmd.Context(), args[0], api.Read{})
			if err != nil {
				return err
			}
			return a.show(cmd, run, func(w io.Writer, screen render.Screen) error {
				s := runStatus{run: &run, names: map[string]string{}, now: a.now(), screen: screen}
				if nodes, err := client.Nodes(cmd.Context(), api.Page{}, api.Read{}); err == nil {
					s.nameNodes(nodes.Items)
				}
				return s.write(w)
			})
		}),
	}
}

// runStatus writes a run for people.
type runStatus struct {
	run    *api.Run
	names  map[string]string // of nodes, by ID
	now    time.Time
	screen render.Screen
}

func (s *runStatus) nameNodes(nodes []api.Node) {
	for _, n := range nodes {
		s.names[n.ID] = n.Name
	}
}

func (s *runStatus) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	s.writeHead(out)
	fmt.Fprintln(out)
	if err := s.attempts().Write(out, s.screen); err != nil {
		return err
	}
	s.writeTails(out)
	return out.Flush()
}

func (s *runStatus) writeHead(out *bufio.Writer) {
	r := &s.run.Run
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(out, "%-9s %s\n", name, text)
		}
	}
	line("Run", r.ID)
	line("Job", fmt.Sprintf("%s, version %d", r.JobKey(), r.Version))
	state := render.Paint(string(r.State), render.StateStyle(r.State), s.screen.Color)
	if r.Cancelling && !r.State.Ended() {
		state += ", being stopped"
	}
	if reason := s.runReason(); reason != "" {
		state += ": " + render.Clean(reason)
	}
	line("State", state)
	line("Waits", waitsFor(r))
	trigger := r.Trigger
	if r.UpstreamRunID != "" {
		trigger += " run " + r.UpstreamRunID
	}
	line("Trigger", trigger)
	line("Params", paramsText(r.Params))
	line("Due", s.instant(r.ScheduledAt))
	if r.NotBefore != 0 && r.NotBefore != r.ScheduledAt {
		line("Held to", s.instant(r.NotBefore))
	}
	started := s.instant(r.StartedAt)
	if late := render.Late(r.ScheduledAt, r.StartedAt); late != "" {
		started += ", " + late + " late"
	}
	line("Started", started)
	ended := s.instant(r.EndedAt)
	if r.EndedAt != 0 && r.StartedAt != 0 {
		ended += ", took " + render.Took(r.StartedAt, r.EndedAt, s.now)
	}
	line("Ended", ended)
	if r.Deadline != 0 && !r.State.Ended() {
		line("Until", s.instant(r.Deadline))
	}
	if r.Retries > 0 {
		line("Retries", fmt.Sprint(r.Retries))
	}
}

func paramsText(params map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		pairs = append(pairs, name+"="+render.Clean(params[name]))
	}
	return strings.Join(pairs, ", ")
}

// runReason says why the run stands where it stands: its own reason, else that
// of the first task that failed.
func (s *runStatus) runReason() string {
	if s.run.Reason != "" || s.run.State != fsm.RunFailed {
		return s.run.Reason
	}
	for i := range s.run.Tasks {
		if t := &s.run.Tasks[i]; t.State == fsm.TaskFailed {
			return fmt.Sprintf("task %s: %s", t.Name, t.Reason)
		}
	}
	return ""
}

// instant writes an exact instant and how far away it is; "" if unset.
func (s *runStatus) instant(t fsm.Time) string {
	if t == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s)", t, render.When(t, s.now))
}

// waitsFor says what keeps a whole run from starting; "" if nothing does.
func waitsFor(r *fsm.Run) string {
	switch {
	case r.Opened || r.State.Ended():
		return ""
	case len(r.WaitsFor) > 0:
		return "for fires that are placed already to be taken back: " + strings.Join(r.WaitsFor, ", ")
	case len(r.Condition) > 0:
		return fmt.Sprintf("for earlier runs to end (overlap = %q): %s", r.Overlap, strings.Join(r.Condition, ", "))
	default:
		return ""
	}
}

// attempts is a table with a row for each attempt, and one for each task or
// shard that has none.
func (s *runStatus) attempts() *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Title: "TASK"}, {Title: "SHARD", Right: true}, {Title: "ATTEMPT", Right: true}, {Title: "STATE"},
		{Title: "NODE"}, {Title: "STARTED"}, {Title: "TOOK", Right: true}, {Title: "EXIT", Right: true},
		{Title: "WHY", Flexible: true},
	}}
	for i := range s.run.Tasks {
		task := &s.run.Tasks[i]
		if len(task.Items) == 0 || notRunThisTime(task) {
			t.Add(render.Text(task.Name), render.Text(""), render.Text(""), render.State(task.State),
				render.Text(""), render.Text(""), render.Text(""), render.Text(""), render.Text(s.taskReason(task)))
		}
		if len(task.Items) > listedShards {
			s.addProgress(t, task)
			continue
		}
		for j := range task.Items {
			s.addShard(t, &task.Items[j])
		}
	}
	return t
}

// notRunThisTime: what the task has shards of is from before the run was taken up
// again.
func notRunThisTime(task *api.Task) bool {
	return task.State == fsm.TaskWaiting || task.State == fsm.TaskSkipped || task.State == fsm.TaskUpstreamFailed
}

// listedShards is up to how many shards of a task are all listed. Of a task with
// more, there is a row for the whole, and as many of those that failed or run.
const listedShards = 20

// addProgress adds a row for a task of many shards, and some of its shards.
func (s *runStatus) addProgress(t *render.Table, task *api.Task) {
	t.Add(render.Text(task.Name), render.Text(fmt.Sprintf("of %d", task.Shards)), render.Text(""), render.State(task.State),
		render.Text(""), render.Text(render.When(task.StartedAt, s.now)),
		render.Text(render.Took(task.StartedAt, task.EndedAt, s.now)), render.Text(""), render.Text(shardProgress(task)))
	listed := 0
	for _, state := range []fsm.ShardState{fsm.ShardFailed, fsm.ShardRunning, fsm.ShardRetracting} {
		for j := range task.Items {
			if shard := &task.Items[j]; shard.State == state && listed < listedShards {
				listed++
				s.addShard(t, shard)
			}
		}
	}
}

// shardProgress says how far the shards of a task have come.
func shardProgress(task *api.Task) string {
	text := fmt.Sprintf("%d of %d done", task.Done, task.Shards)
	for _, part := range []struct {
		n    int
		what string
	}{{task.Running, "running"}, {task.Failed, "failed"}, {task.Cancelled, "cancelled"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	return text
}

func (s *runStatus) addShard(t *render.Table, shard *api.Shard) {
	for i := range shard.Past {
		past := &shard.Past[i]
		s.addAttempt(t, shard, past, past.Outcome, s.nodeName(past.Node), pastReason(past))
	}
	current, node := shard.Current, shard.NodeName
	if node == "" {
		node = s.nodeName(current.Node)
	}
	if current.Node == "" {
		// The number of a shard without an attempt is that of the last one.
		if len(shard.Past) > 0 && shard.State.Ended() {
			return
		}
		current.Number = 0
	}
	s.addAttempt(t, shard, &current, string(shard.State), node, s.shardReason(shard))
}

// pastReason says why an attempt was followed by another one.
func pastReason(a *fsm.Attempt) string {
	switch a.Outcome {
	case fsm.AttemptFailed, fsm.AttemptTimeout, fsm.AttemptStartFailed:
		return a.Failure()
	default:
		return a.Error
	}
}

func (s *runStatus) addAttempt(t *render.Table, shard *api.Shard, a *fsm.Attempt, state, node, why string) {
	number, exit := "", ""
	if a.Number > 0 {
		number = fmt.Sprint(a.Number)
	}
	switch {
	case a.Signal != "":
		exit = a.Signal
	case a.Outcome == fsm.AttemptSucceeded || a.Outcome == fsm.AttemptFailed && a.ExitCode > 0:
		exit = fmt.Sprint(a.ExitCode)
	}
	t.Add(render.Text(shard.Task), render.Text(fmt.Sprint(shard.Index)), render.Text(number), render.State(state),
		render.Text(node), render.Text(render.When(a.StartedAt, s.now)),
		render.Text(render.Took(a.StartedAt, a.EndedAt, s.now)), render.Text(exit), render.Text(why))
}

func (s *runStatus) nodeName(id string) string {
	if name, ok := s.names[id]; ok {
		return name
	}
	return id
}

// taskReason says why a task has no shards.
func (s *runStatus) taskReason(t *api.Task) string {
	if t.Reason != "" || t.State.Ended() {
		return t.Reason
	}
	var waits []string
	for _, name := range t.DependsOn {
		for i := range s.run.Tasks {
			if other := &s.run.Tasks[i]; other.Name == name && !other.State.Ended() {
				waits = append(waits, name)
			}
		}
	}
	switch {
	case len(waits) == 1:
		return "waits for task " + waits[0]
	case len(waits) > 1:
		return "waits for tasks " + strings.Join(waits, ", ")
	default:
		return "waits for the run to start"
	}
}

// shardReason says why a shard stands where it stands, or why it waits.
func (s *runStatus) shardReason(shard *api.Shard) string {
	switch {
	case shard.Waiting != "":
		return shard.Waiting
	case shard.Current.Error != "" && shard.Reason != "" && !strings.Contains(shard.Reason, shard.Current.Error):
		return shard.Reason + ": " + shard.Current.Error
	case shard.Reason != "":
		return shard.Reason
	case shard.Current.Error != "":
		return shard.Current.Error
	case shard.State == fsm.ShardRetracting:
		return "is being taken back (" + shard.Why + ")"
	case shard.State == fsm.ShardPending && shard.Maybe:
		return "waits until an attempt that was lost is surely over"
	case shard.State == fsm.ShardPending:
		return "waits for a place"
	case shard.State == fsm.ShardArmed && s.run.NotBefore.Time().After(s.now):
		return "starts " + render.When(s.run.NotBefore, s.now)
	default:
		return shard.Current.Placed // why it is, or was, where it is
	}
}

const (
	// tailLines is how much of a failed attempt's output is shown.
	tailLines = 10
	// shownTails is of how many shards it is.
	shownTails = 5
)

// writeTails shows the end of the output of each shard that failed.
func (s *runStatus) writeTails(out *bufio.Writer) {
	shown := 0
	for i := range s.run.Tasks {
		for j := range s.run.Tasks[i].Items {
			shard := &s.run.Tasks[i].Items[j]
			text := strings.TrimRight(string(lastTail(shard)), "\n")
			if shard.State != fsm.ShardFailed || text == "" {
				continue
			}
			if shown++; shown > shownTails {
				return
			}
			which := ""
			if shard.Count > 1 {
				which = fmt.Sprintf(" --shard %d", shard.Index)
			}
			fmt.Fprintf(out, "\nThe end of what %s, shard %d, wrote (all of it: rota logs %s %s%s):\n",
				shard.Task, shard.Index, s.run.ID, shard.Task, which)
			lines := strings.Split(text, "\n")
			for _, line := range lines[max(0, len(lines)-tailLines):] {
				fmt.Fprintln(out, "  "+render.Clean(line))
			}
		}
	}
}

func lastTail(shard *api.Shard) []byte {
	if len(shard.Current.Tail) > 0 || len(shard.Past) == 0 {
		return shard.Current.Tail
	}
	return shard.Past[len(shard.Past)-1].Tail
}
