package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/jobfile"
	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/jobspec"
	"github.com/rota-scheduler/rota/transport/api"
)

// planInstants is how many instants a plan shows of each job.
const planInstants = 5

// What a plan does with a job.
const (
	planCreate = "create"
	planUpdate = "update"
	planDelete = "delete"
	planNone   = "none"
)

// errWouldApply: the plan has changes. It is an answer and no failure, and has an
// exit code of its own.
type errWouldApply struct{}

func (errWouldApply) Error() string { return "there are changes" }

// ExitStatus is the exit code of a plan with changes.
func (errWouldApply) ExitStatus() int { return exitChanges }

// plannedJob is what an apply would do with one job.
type plannedJob struct {
	Job     fsm.JobKey   `json:"job"`
	Action  string       `json:"action"`
	Changes []specChange `json:"changes,omitempty"`
	// Next are the first instants of the job as the files have it.
	Next []time.Time `json:"next,omitempty"`
}

type plan struct {
	Jobs     []plannedJob     `json:"jobs"`
	Pools    []fsm.PoolResult `json:"pools,omitempty"`
	Warnings []string         `json:"warnings,omitempty"`
}

func (a *app) planCommand() *cobra.Command {
	var prune bool
	var vars jobfile.Variables
	cmd := &cobra.Command{
		Use:   "plan FILE...",
		Short: "Show what applying job files would change",
		Long: `Shows what "rota apply" would do with these files: which jobs it would create and
which it would change, attribute by attribute, and when each of them is due next.
Nothing is changed. Exits with 0 if apply would change nothing, and with 3 if it
would change something.`,
		Args:    cobra.MinimumNArgs(1),
		PreRunE: func(cmd *cobra.Command, _ []string) error { return a.checkPrune(cmd, prune) },
		RunE: a.withFiles(&vars, func(cmd *cobra.Command, client *api.Client, file *jobfile.File) error {
			p, err := a.plan(cmd.Context(), client, file, prune)
			if err != nil {
				return err
			}
			warn(cmd.ErrOrStderr(), p.Warnings)
			if err := a.show(cmd, p, p.write); err != nil {
				return err
			}
			if p.changes() {
				return errWouldApply{}
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&prune, "prune", false, "also show the jobs of the namespace that are in no file, which apply --prune deletes")
	vars.AddFlags(cmd)
	return cmd
}

// plan asks the cluster what an apply would change, and compares what would.
func (a *app) plan(ctx context.Context, client *api.Client, file *jobfile.File, prune bool) (plan, error) {
	jobs := file.Jobs
	results, err := client.Put(ctx, file.Body(), true)
	if err != nil {
		return plan{}, err
	}
	byKey := make(map[fsm.JobKey]fsm.PutResult, len(results.Items))
	for _, r := range results.Items {
		byKey[r.Job] = r
	}
	p := plan{Jobs: []plannedJob{}, Pools: results.Pools, Warnings: results.Warnings}
	for i := range jobs {
		planned, err := a.planJob(ctx, client, &jobs[i], byKey[jobs[i].Key()])
		if err != nil {
			return plan{}, err
		}
		p.Jobs = append(p.Jobs, planned)
	}
	if !prune {
		return p, nil
	}
	unwanted, err := a.unwanted(ctx, client, jobs)
	for _, key := range unwanted {
		p.Jobs = append(p.Jobs, plannedJob{Job: key, Action: planDelete})
	}
	return p, err
}

func (a *app) planJob(ctx context.Context, client *api.Client, spec *fsm.JobSpec, result fsm.PutResult) (plannedJob, error) {
	planned := plannedJob{Job: spec.Key(), Action: planNone}
	var err error
	if planned.Next, err = jobspec.Upcoming(spec, a.now(), planInstants); err != nil {
		return planned, err
	}
	switch {
	case result.Created:
		planned.Action = planCreate
	case result.Changed:
		planned.Action = planUpdate
		planned.Changes, err = changesOf(ctx, client, spec)
	}
	return planned, err
}

func changesOf(ctx context.Context, client *api.Client, spec *fsm.JobSpec) ([]specChange, error) {
	old, err := client.Job(ctx, spec.Key(), 0)
	switch {
	case api.ErrorCode(err) == api.CodeNotFound:
		return nil, nil // deleted a moment ago
	case err != nil:
		return nil, err
	case old.Spec == nil:
		return nil, errors.New("the agent did not send the content of job " + spec.Key().String())
	}
	changes, err := compareSpecs(old.Spec, spec.Redacted())
	if err == nil && len(changes) == 0 { // the agent does not send secrets
		hidden := json.RawMessage(`"` + fsm.RedactedSecret + `"`)
		changes = []specChange{{"notify secret, which is not shown", hidden, hidden}}
	}
	return changes, err
}

func (p plan) changes() bool {
	for _, j := range p.Jobs {
		if j.Action != planNone {
			return true
		}
	}
	return slices.ContainsFunc(p.Pools, func(r fsm.PoolResult) bool { return r.Changed })
}

// signs stand before what a plan does.
var signs = map[string]struct {
	sign  string
	style render.Style
}{
	planCreate: {"+", render.Good}, planUpdate: {"~", render.Busy}, planDelete: {"-", render.Bad}, planNone: {"=", render.Dim},
}

func poolAction(p fsm.PoolResult) string {
	switch {
	case p.Created:
		return planCreate
	case p.Changed:
		return planUpdate
	}
	return planNone
}

// write prints the plan for a person.
func (p plan) write(w io.Writer, screen render.Screen) error {
	counts := map[string]int{}
	for _, pool := range p.Pools {
		s := signs[poolAction(pool)]
		line := fmt.Sprintf("%s pool %s: limit %d", s.sign, render.Clean(pool.Name), pool.Limit)
		if _, err := fmt.Fprintln(w, render.Paint(line, s.style, screen.Color)); err != nil {
			return err
		}
	}
	for _, j := range p.Jobs {
		counts[j.Action]++
		s := signs[j.Action]
		line := s.sign + " " + render.Clean(j.Job.String())
		if _, err := fmt.Fprintln(w, render.Paint(line, s.style, screen.Color)); err != nil {
			return err
		}
		for _, c := range j.Changes {
			if _, err := fmt.Fprintf(w, "    %s: %s -> %s\n", render.Clean(c.Path), render.Clean(c.old()), render.Clean(c.new())); err != nil {
				return err
			}
		}
		for i, t := range j.Next {
			label := "    "
			if i == 0 {
				label = "next"
			}
			if _, err := fmt.Fprintf(w, "    %s %s\n", label, t.Format(time.RFC3339)); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "%d to create, %d to change, %d to delete, %d unchanged.\n",
		counts[planCreate], counts[planUpdate], counts[planDelete], counts[planNone])
	return err
}

// specChange is a difference in one attribute. Old and New are JSON, empty where
// the attribute is not set.
type specChange struct {
	Path string          `json:"path"`
	Old  json.RawMessage `json:"old,omitempty"`
	New  json.RawMessage `json:"new,omitempty"`
}

func (c specChange) old() string { return orNone(c.Old) }
func (c specChange) new() string { return orNone(c.New) }

func orNone(v json.RawMessage) string {
	if len(v) == 0 {
		return "(none)"
	}
	return string(v)
}
