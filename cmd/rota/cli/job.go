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

func (a *app) jobCommand() *cobra.Command {
	var version uint64
	cmd := &cobra.Command{
		Use:   "job JOB",
		Short: "Show a job: its schedules, its tasks and what became of its fires",
		Args:  cobra.ExactArgs(1),
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			job, err := client.Job(cmd.Context(), a.key(args[0]), version)
			if err != nil {
				return err
			}
			return a.show(cmd, job, func(w io.Writer, screen render.Screen) error {
				return writeJob(w, &job, a.now(), screen)
			})
		}),
	}
	cmd.Flags().Uint64Var(&version, "version", 0, "show the tasks of an older version (default the current one)")
	return cmd
}

func writeJob(w io.Writer, job *api.Job, now time.Time, screen render.Screen) error {
	out := bufio.NewWriter(w)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(out, "%-12s %s\n", name, render.Clean(text))
		}
	}
	line("Job", job.Key().String())
	line("Description", job.Description)
	line("Labels", pairs(job.Labels))
	line("Version", fmt.Sprintf("%d, applied %s (%s)", job.Version, job.UpdatedAt, render.When(job.UpdatedAt, now)))
	line("State", jobState(&job.Job))
	for _, s := range job.Schedules {
		line("Schedule", s)
	}
	if job.Next != 0 {
		line("Next", fmt.Sprintf("%s (%s)", job.Next, render.When(job.Next, now)))
	}
	if run := job.LastRun; run != nil {
		line("Last run", fmt.Sprintf("%s, %s (%s)", run.ID, run.State, render.When(runInstant(run), now)))
	}
	line("Fires", statsText(job.Stats))
	if job.Spec != nil {
		fmt.Fprintln(out)
		if err := tasksTable(job.Spec).Write(out, screen); err != nil {
			return err
		}
	}
	return out.Flush()
}

func jobState(job *fsm.Job) string {
	switch {
	case job.Deleting:
		return "being deleted; it goes away with its last run"
	case job.Paused:
		return "paused since " + job.PausedAt.String()
	default:
		return "active"
	}
}

func statsText(stats *fsm.JobStats) string {
	if stats == nil {
		return ""
	}
	parts := []string{fmt.Sprintf("%d ran", stats.Ran)}
	for _, reason := range slices.Sorted(maps.Keys(stats.Skipped)) {
		parts = append(parts, fmt.Sprintf("%d skipped (%s)", stats.Skipped[reason], reason))
	}
	return strings.Join(parts, ", ")
}

func tasksTable(spec *fsm.JobSpec) *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Title: "TASK"}, {Title: "DRIVER"}, {Title: "DEPENDS ON"}, {Title: "TIMEOUT", Right: true},
		{Title: "WEIGHT", Right: true}, {Title: "COMMAND", Flexible: true},
	}}
	for i := range spec.Tasks {
		task := &spec.Tasks[i]
		timeout := ""
		if task.Timeout > 0 {
			timeout = render.Span(time.Duration(task.Timeout))
		}
		t.Add(render.Text(task.Name), render.Text(task.DriverName()), render.Text(strings.Join(task.DependsOn, ", ")),
			render.Text(timeout), render.Text(fmt.Sprint(task.Load())),
			render.Text(strings.Join(append([]string{task.Command}, task.Args...), " ")))
	}
	return t
}

func pairs(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+m[k])
	}
	return strings.Join(parts, ", ")
}
