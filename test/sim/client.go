package sim

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/check"
	"github.com/rota-scheduler/rota/transport/api"
)

// clientIP is the host that calls come from. No cut concerns it.
const clientIP = "10.0.0.100"

// callTimeout is how long a client waits for an answer.
const callTimeout = 12 * time.Second

// clients call the API of every node, each call on a goroutine of its own, and
// keep the history. All methods may be called concurrently.
type clients struct {
	c    *Cluster
	wg   sync.WaitGroup
	apis map[string]*api.Client

	mu    sync.Mutex
	calls []check.Call
}

func newClients(c *Cluster) *clients {
	l := &clients{c: c, apis: map[string]*api.Client{}}
	for _, n := range c.nodes {
		client, err := api.NewClientOver("http://"+n.IP+":7700", c.Net.dialer(clientIP, nil))
		if err != nil {
			c.t.Fatal(err)
		}
		l.apis[n.Name] = client
	}
	return l
}

// close waits for the answers and closes the connections.
func (l *clients) close() {
	l.wg.Wait()
	for _, client := range l.apis {
		client.Close()
	}
}

// do makes a call on a goroutine of its own.
func (l *clients) do(call check.Call, ask func(ctx context.Context, client *api.Client) (run string, err error)) {
	l.wg.Go(func() { l.ask(call, ask) })
}

// ask makes a call, notes it, and returns its fate.
func (l *clients) ask(call check.Call, ask func(ctx context.Context, client *api.Client) (run string, err error)) check.Fate {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	call.Begin = time.Now()
	run, err := ask(ctx, l.apis[call.Node])
	call.RunID, call.Fate = run, fateOf(err)
	if call.Fate == check.Done {
		call.End = time.Now()
	}
	outcome := call.Fate.String()
	if err != nil {
		outcome += ": " + err.Error()
	}
	l.c.Trace.add(check.Event{At: time.Now(), Node: call.Node, Job: call.Job, Runs: runsOf(run), Text: "api " + string(call.Op) + " " +
		call.Job.Name + " asked at " + call.Begin.UTC().Format("15:04:05.000000") + ": " + outcome})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, call)
	return call.Fate
}

func runsOf(id string) []string {
	if id == "" {
		return nil
	}
	return []string{id}
}

// history returns what was asked so far.
func (l *clients) history() []check.Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]check.Call(nil), l.calls...)
}

// fateOf says what an answer means for the change. A pause or a deletion that has
// not settled yet is in effect, but promises nothing.
func fateOf(err error) check.Fate {
	switch code := api.ErrorCode(err); {
	case err == nil:
		return check.Done
	case errors.Is(err, api.ErrNoServer):
		return check.NotDone
	case code == api.CodeUnknownFate, code == api.CodeTimeout, code == api.CodeUnreachable, code == api.CodeInternal, code == "":
		return check.Unknown
	default:
		return check.NotDone
	}
}

func (l *clients) apply(node string, spec fsm.JobSpec) {
	l.do(check.Call{Op: check.Apply, Job: spec.Key(), Mark: spec.Description, Node: node}, func(ctx context.Context, client *api.Client) (string, error) {
		_, err := client.PutJobs(ctx, []fsm.JobSpec{spec}, false)
		return "", err
	})
}

func jobNamed(name string) fsm.JobKey {
	return fsm.JobKey{Namespace: fsm.DefaultNamespace, Name: name}
}

func pauseCall(ctx context.Context, client *api.Client, key fsm.JobKey) (string, error) {
	_, err := client.PauseJob(ctx, key, callTimeout-2*time.Second)
	return "", err
}

func (l *clients) pause(node, job string) {
	l.do(check.Call{Op: check.Pause, Job: jobNamed(job), Node: node}, func(ctx context.Context, client *api.Client) (string, error) {
		return pauseCall(ctx, client, jobNamed(job))
	})
}

func (l *clients) resume(node, job string) {
	l.do(check.Call{Op: check.Resume, Job: jobNamed(job), Node: node}, func(ctx context.Context, client *api.Client) (string, error) {
		_, err := client.ResumeJob(ctx, jobNamed(job))
		return "", err
	})
}

func (l *clients) delete(node, job string) {
	l.do(check.Call{Op: check.Delete, Job: jobNamed(job), Node: node}, func(ctx context.Context, client *api.Client) (string, error) {
		return "", client.DeleteJob(ctx, jobNamed(job), callTimeout-2*time.Second)
	})
}

func (l *clients) run(node, job string) {
	l.do(check.Call{Op: check.Run, Job: jobNamed(job), Node: node}, func(ctx context.Context, client *api.Client) (string, error) {
		r, err := client.RunJob(ctx, jobNamed(job), "")
		return r.ID, err
	})
}

// onRun cancels a run or takes it up again.
func (l *clients) onRun(verb, node, id string) {
	l.do(check.Call{Op: check.Op(verb), Node: node}, func(ctx context.Context, client *api.Client) (string, error) {
		ask := client.CancelRun
		if verb == "retry" {
			ask = client.RetryRun
		}
		_, err := ask(ctx, id)
		return id, err
	})
}

func (l *clients) setStatus(via, node string, status fsm.NodeStatus) {
	l.do(check.Call{Op: check.Op("node " + string(status)), Node: via, Detail: node}, func(ctx context.Context, client *api.Client) (string, error) {
		_, err := client.SetNodeStatus(ctx, node, status)
		return "", err
	})
}

func (l *clients) transfer(via string) {
	l.do(check.Call{Op: "transfer", Node: via}, func(ctx context.Context, client *api.Client) (string, error) {
		_, err := client.TransferLeader(ctx)
		return "", err
	})
}
