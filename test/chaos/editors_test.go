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
	"github.com/rota-scheduler/rota/test/check"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

const (
	editorCount = 3
	// editEvery is the mean time between two changes of a client.
	editEvery = 400 * time.Millisecond
	// callWithin bounds one call; a client that has no answer by then asks another
	// node.
	callWithin = 3 * time.Second
	// tryAgain is how long a client waits before it does.
	tryAgain = 100 * time.Millisecond
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

// editor is one client, and the calls that it has made. Nobody else changes its
// job.
type editor struct {
	*editors
	r     *rand.Rand
	job   fsm.JobKey
	calls []check.Call
}

func startEditors(w *world) *editors {
	ctx, cancel := context.WithCancel(w.t.Context())
	e := &editors{t: w.t, c: w.c, records: w.load.records, cancel: cancel}
	for i := range editorCount {
		key := fsm.JobKey{Namespace: fsm.DefaultNamespace, Name: fmt.Sprintf("edit-%d", i)}
		one := &editor{editors: e, r: fork(w.r), job: key}
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

// edit makes one change after the other. Each is tried until there is an answer;
// every try is a call of its own.
func (e *editor) edit(ctx context.Context) {
	op := check.Apply // there is no job yet
	for n := 1; ctx.Err() == nil; n++ {
		mark := fmt.Sprintf("%s change %d", e.job, n)
		for ctx.Err() == nil && !e.try(ctx, op, mark) {
			pauseFor(ctx, tryAgain)
		}
		ops := []check.Op{check.Apply, check.Apply, check.Pause, check.Resume, check.Resume, check.Run, check.Run, check.Delete}
		if op == check.Delete {
			ops = ops[:1]
		}
		op = ops[e.r.IntN(len(ops))]
		pauseFor(ctx, time.Duration(e.r.Int64N(int64(2*editEvery))))
	}
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

// try makes a call to some node, and says whether there was an answer.
func (e *editor) try(ctx context.Context, op check.Op, mark string) bool {
	up := e.c.Up()
	if len(up) == 0 {
		return false
	}
	n := up[e.r.IntN(len(up))]
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	call := check.Call{Op: op, Job: e.job, Mark: mark, Node: n.Name, Begin: time.Now()}
	err := e.send(ctx, n.Client(), &call)
	call.Fate = fate(err)
	if call.Fate != check.Unknown {
		call.End = time.Now()
	}
	if err != nil {
		call.Detail = err.Error()
	}
	e.calls = append(e.calls, call)
	return err == nil || refused(err)
}

// fate is what an answer means for the change.
func fate(err error) check.Fate {
	switch code := api.ErrorCode(err); {
	case err == nil:
		return check.Done
	case refused(err), code == api.CodeNoLeader, code == api.CodeUnreachable:
		return check.NotDone
	}
	return check.Unknown
}

// refused: the change was understood and cannot be made; an earlier one whose fate
// was unknown may be why.
func refused(err error) bool {
	codes := []string{api.CodeNotFound, api.CodeConflict, api.CodeOverlap, api.CodeDeleting}
	return slices.Contains(codes, api.ErrorCode(err))
}

func (e *editor) send(ctx context.Context, client *api.Client, call *check.Call) error {
	var err error
	switch call.Op {
	case check.Apply:
		spec := everySecond(e.job.Name, e.records)
		spec.Description = call.Mark
		_, err = client.PutJobs(ctx, []fsm.JobSpec{spec}, false)
	case check.Pause:
		_, err = client.PauseJob(ctx, e.job, callWithin)
	case check.Resume:
		_, err = client.ResumeJob(ctx, e.job)
	case check.Delete:
		err = client.DeleteJob(ctx, e.job, callWithin)
	case check.Run:
		var run api.Run
		run, err = client.RunJob(ctx, e.job, call.Mark)
		call.RunID = run.ID
	}
	return err
}

// tell adds to the evidence what the clients have asked for, and what there is of
// it now that they have stopped.
func (e *editors) tell(evidence *cluster.Evidence) {
	e.t.Helper()
	fates := map[check.Fate]int{}
	for _, one := range e.all {
		for _, call := range one.calls {
			fates[call.Fate]++
		}
		evidence.Calls = append(evidence.Calls, one.calls...)
	}
	e.t.Logf("clients: %d changes acknowledged, %d refused, the fate of %d unknown", fates[check.Done], fates[check.NotDone], fates[check.Unknown])
	if fates[check.Done] == 0 {
		e.t.Errorf("no change was acknowledged: %+v", e.all[0].calls)
	}
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	if err := pollSlowly(ctx, func() error { return e.look(ctx, evidence) }); err != nil {
		e.t.Errorf("reading what the clients made: %v", err)
	}
}

// look reads the clients' jobs and their runs.
func (e *editors) look(ctx context.Context, evidence *cluster.Evidence) error {
	evidence.Jobs, evidence.Runs = nil, []fsm.Run{}
	client := e.c.Leader().Client()
	list, err := client.Jobs(ctx, fsm.DefaultNamespace, all, api.Read{Consistent: true})
	if err != nil {
		return err
	}
	for _, job := range list.Items {
		if !job.Deleting {
			evidence.Jobs = append(evidence.Jobs, check.Job{Key: job.Key(), Mark: job.Description, Paused: job.Paused})
		}
	}
	for _, one := range e.all {
		runs, err := client.Runs(ctx, api.RunFilter{Job: one.job.Name}, all, api.Read{Consistent: true})
		if err != nil && api.ErrorCode(err) != api.CodeNotFound { // the job may be deleted
			return err
		}
		evidence.Runs = append(evidence.Runs, runs.Items...)
	}
	return nil
}
