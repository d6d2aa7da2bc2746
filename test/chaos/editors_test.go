package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
	"github.com/rota-scheduler/rota/transport/api"
)

const (
	editorCount = 3
	// editEvery is the mean time between two writes of a client.
	editEvery = 400 * time.Millisecond
	// callWithin bounds one call; a client that has no answer by then asks another
	// node.
	callWithin = 3 * time.Second
)

// editors are the clients that change jobs while the damage is done.
type editors struct {
	t       *testing.T
	c       *cluster.Cluster
	records *cluster.Records
	cancel  context.CancelFunc
	group   sync.WaitGroup
	all     []*editor
}

// editor is one client, and what it knows of the one job that only it changes.
type editor struct {
	*editors
	r    *rand.Rand
	name string
	want jobState
	// floating are writes whose fate is unknown: each may be done at any time
	// later, or never.
	floating []edit
	acked    int
	// runs were started by hand and acknowledged, since the job was made.
	runs []string
	// still are the times in which nothing of the job may start.
	still []span
	last  error
}

// jobState is what a job should be like.
type jobState struct {
	exists, paused bool
	text           string
}

type edit struct{ op, text string }

// span begins with an acknowledgement and ends when something else was asked for.
type span struct {
	why      string
	from, to time.Time
}

func startEditors(w *world) *editors {
	ctx, cancel := context.WithCancel(w.t.Context())
	e := &editors{t: w.t, c: w.c, records: w.load.records, cancel: cancel}
	for i := range editorCount {
		one := &editor{editors: e, r: fork(w.r), name: fmt.Sprintf("edit-%d", i)}
		e.all = append(e.all, one)
		e.group.Go(func() { one.edit(ctx) })
	}
	w.t.Cleanup(e.stop)
	return e
}

func (e *editors) stop() {
	e.cancel()
	e.group.Wait()
}

func (e *editor) key() fsm.JobKey {
	return fsm.JobKey{Namespace: fsm.DefaultNamespace, Name: e.name}
}

// edit makes one change after the other, each until it is acknowledged.
func (e *editor) edit(ctx context.Context) {
	for n := 1; ; n++ {
		pauseFor(ctx, time.Duration(e.r.Int64N(int64(2*editEvery))))
		if ctx.Err() != nil {
			return
		}
		what := edit{e.draw(), fmt.Sprintf("%s change %d", e.name, n)}
		e.endSpan()
		for !e.try(ctx, what) {
			if ctx.Err() != nil {
				e.floating = append(e.floating, what)
				return
			}
		}
	}
}

func (e *editor) draw() string {
	if !e.want.exists {
		return "put"
	}
	return []string{"put", "put", "pause", "resume", "resume", "run", "run", "delete"}[e.r.IntN(8)]
}

// endSpan ends the time in which nothing may start: something is asked for now.
func (e *editor) endSpan() {
	if n := len(e.still); n > 0 && e.still[n-1].to.IsZero() {
		e.still[n-1].to = time.Now()
	}
}

// try makes a change through some node, and says whether it is acknowledged.
func (e *editor) try(ctx context.Context, what edit) bool {
	up := e.c.Up()
	if len(up) == 0 {
		pauseFor(ctx, callWithin/30)
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	run, err := e.send(ctx, up[e.r.IntN(len(up))].Client(), what)
	code := api.ErrorCode(err)
	switch {
	case err == nil, what.op == "delete" && code == api.CodeNotFound:
		e.acknowledged(what, run)
		return true
	case refusedForGood(what.op, code):
		return true // nothing happened
	case code != api.CodeNoLeader && code != api.CodeUnreachable:
		if !slices.Contains(e.floating, what) {
			e.floating = append(e.floating, what)
		}
	}
	e.last = err
	pauseFor(ctx, callWithin/30)
	return false
}

// refusedForGood: a write was understood and refused, because of a write before
// whose fate was unknown. Only then can it be.
func refusedForGood(op, code string) bool {
	return code == api.CodeNotFound || op == "run" && (code == api.CodeDeleting || code == api.CodeConflict || code == api.CodeOverlap)
}

// pauseFor returns after d, or when ctx ends.
func pauseFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (e *editor) send(ctx context.Context, client *api.Client, what edit) (run string, err error) {
	switch what.op {
	case "put":
		spec := everySecond(e.name, e.records)
		spec.Description = what.text
		_, err = client.PutJobs(ctx, []fsm.JobSpec{spec}, false)
	case "pause":
		_, err = client.PauseJob(ctx, e.key(), callWithin)
	case "resume":
		_, err = client.ResumeJob(ctx, e.key())
	case "delete":
		err = client.DeleteJob(ctx, e.key(), callWithin)
	case "run":
		var r api.Run
		r, err = client.RunJob(ctx, e.key(), what.text)
		run = r.ID
	}
	return run, err
}

// acknowledged notes what the cluster has promised now.
func (e *editor) acknowledged(what edit, run string) {
	e.acked++
	switch what.op {
	case "put":
		e.want.exists, e.want.text = true, what.text
	case "pause":
		e.want.paused = true
	case "resume":
		e.want.paused = false
	case "delete":
		e.want, e.runs = jobState{}, nil
	case "run":
		e.runs = append(e.runs, run)
	}
	if what.op == "pause" || what.op == "delete" {
		e.still = append(e.still, span{why: what.op, from: time.Now()})
	}
}

// judge compares what was acknowledged with what there is, once the editors have
// stopped.
func (e *editors) judge() {
	e.t.Helper()
	acked, floating := 0, 0
	for _, one := range e.all {
		one.judgeState()
		one.judgeRuns()
		one.judgeStill()
		acked += one.acked
		floating += len(one.floating)
	}
	e.t.Logf("clients: %d writes acknowledged, the fate of %d unknown", acked, floating)
	if acked == 0 {
		e.t.Errorf("no write was acknowledged, the last error was %v", e.all[0].last)
	}
}

// judgeState: the job is as the last acknowledged write left it, unless one of
// unknown fate explains the difference.
func (e *editor) judgeState() {
	e.t.Helper()
	var got jobState
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	client := e.c.Leader().Client()
	err := pollSlowly(ctx, func() error {
		list, err := client.Jobs(ctx, fsm.DefaultNamespace, all, api.Read{Consistent: true})
		if err != nil {
			return err
		}
		got = jobState{}
		for _, job := range list.Items {
			if job.Name == e.name && !job.Deleting {
				got = jobState{true, job.Paused, job.Description}
			}
		}
		return nil
	})
	if err != nil {
		e.t.Errorf("reading %s: %v", e.name, err)
	}
	if got != e.want && !e.explains(got) {
		e.t.Errorf("%s is %+v, acknowledged was %+v; of unknown fate: %v", e.name, got, e.want, e.floating)
	}
}

func (e *editor) floats(op, text string) bool {
	return slices.ContainsFunc(e.floating, func(f edit) bool { return f.op == op && (text == "" || f.text == text) })
}

// explains says whether writes of unknown fate can have led to a state.
func (e *editor) explains(got jobState) bool {
	switch {
	case !got.exists:
		return e.floats("delete", "")
	case got.text != e.want.text && !e.floats("put", got.text):
		return false
	case got.paused != e.want.paused:
		return e.floats("pause", "") || e.floats("resume", "") || e.floats("delete", "")
	}
	return true
}

// judgeRuns: what was started by hand and acknowledged is there.
func (e *editor) judgeRuns() {
	e.t.Helper()
	if e.floats("delete", "") {
		return // they may have gone with the job
	}
	client := e.c.Leader().Client()
	for _, id := range e.runs {
		if _, _, err := client.Run(e.t.Context(), id, api.Read{Consistent: true}); err != nil {
			e.t.Errorf("run %s of %s was acknowledged: %v", id, e.name, err)
		}
	}
}

// judgeStill: nothing was started by the schedule after a pause or a deletion was
// acknowledged, except again.
func (e *editor) judgeStill() {
	e.t.Helper()
	if e.floats("resume", "") || e.floats("put", "") {
		return // which may have ended any pause
	}
	known := map[string]bool{}
	for _, r := range e.records.Read() {
		if r.Job != e.name || r.Event != record.Begin || r.ScheduledAt.IsZero() {
			continue
		}
		for _, s := range e.still {
			if r.At.After(s.from) && (s.to.IsZero() || r.At.Before(s.to)) && !known[r.Run] {
				e.t.Errorf("%s: a process was started %s after the answer to %s: %+v", e.name, r.At.Sub(s.from), s.why, r)
			}
		}
		known[r.Run] = true
	}
}
