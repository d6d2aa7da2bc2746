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
func (l *clients) do(call check.Call, ask asking) { l.wg.Go(func() { l.ask(call, ask) }) }

// asking makes a call, and notes in it what the answer says.
type asking func(ctx context.Context, client *api.Client, call *check.Call) error

// ask makes a call, notes it, and returns its fate.
func (l *clients) ask(call check.Call, ask asking) check.Fate {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	call.Begin = time.Now()
	err := ask(ctx, l.apis[call.Node], &call)
	call.Fate = fateOf(err)
	if call.Fate == check.Done {
		call.End = time.Now()
	}
	outcome := call.Fate.String()
	if err != nil {
		outcome += ": " + err.Error()
	}
	l.c.Trace.add(check.Event{At: time.Now(), Node: call.Node, Job: call.Job, Runs: runsOf(call.RunID), Text: "api " + string(call.Op) + " " +
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
	l.do(check.Call{Op: check.Apply, Job: spec.Key(), Mark: spec.Description, Node: node}, func(ctx context.Context, client *api.Client, call *check.Call) error {
		list, err := client.PutJobs(ctx, []fsm.JobSpec{spec}, false)
		if err == nil {
			call.Version = list.Items[0].Version
		}
		return err
	})
}

func jobNamed(name string) fsm.JobKey {
	return fsm.JobKey{Namespace: fsm.DefaultNamespace, Name: name}
}

func pauseCall(ctx context.Context, client *api.Client, call *check.Call) error {
	_, err := client.PauseJob(ctx, call.Job, callTimeout-2*time.Second)
	return err
}

func (l *clients) pause(node, job string) {
	l.do(check.Call{Op: check.Pause, Job: jobNamed(job), Node: node}, pauseCall)
}

func (l *clients) resume(node, job string) {
	l.do(check.Call{Op: check.Resume, Job: jobNamed(job), Node: node}, func(ctx context.Context, client *api.Client, call *check.Call) error {
		_, err := client.ResumeJob(ctx, call.Job)
		return err
	})
}

func (l *clients) delete(node, job string) {
	l.do(check.Call{Op: check.Delete, Job: jobNamed(job), Node: node}, func(ctx context.Context, client *api.Client, call *check.Call) error {
		return client.DeleteJob(ctx, call.Job, callTimeout-2*time.Second)
	})
}

func (l *clients) run(node, job string) {
	l.do(check.Call{Op: check.Run, Job: jobNamed(job), Node: node}, func(ctx context.Context, client *api.Client, call *check.Call) error {
		r, err := client.RunJob(ctx, call.Job, "")
		call.RunID = r.ID
		return err
	})
}

// onRun cancels a run or takes it up again.
func (l *clients) onRun(verb, node, id string) {
	l.do(check.Call{Op: check.Op(verb), RunID: id, Node: node}, func(ctx context.Context, client *api.Client, call *check.Call) error {
		ask := client.CancelRun
		if verb == "retry" {
			ask = client.RetryRun
		}
		_, err := ask(ctx, id)
		return err
	})
}

func statusCall(node string, status fsm.NodeStatus) asking {
	return func(ctx context.Context, client *api.Client, _ *check.Call) error {
		_, err := client.SetNodeStatus(ctx, node, api.NodeStatus{Status: status})
		return err
	}
}

func (l *clients) setStatus(via, node string, status fsm.NodeStatus) {
	l.do(check.Call{Op: check.Op("node " + string(status)), Node: via, Detail: node}, statusCall(node, status))
}

func (l *clients) transfer(via string) {
	l.do(check.Call{Op: "transfer", Node: via}, func(ctx context.Context, client *api.Client, _ *check.Call) error {
		_, err := client.TransferLeader(ctx)
		return err
	})
}
