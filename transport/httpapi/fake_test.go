package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport"
	"github.com/rota-scheduler/rota/transport/api"
)

// patience bounds what a test waits for.
const patience = 10 * time.Second

func (nowhere) ServeHTTP(http.ResponseWriter, *http.Request) { panic("forwarded") }

type fakeCluster struct{ w *world }

func (c fakeCluster) IsLeader() bool { return c.w.leader.Load() }

func (c fakeCluster) Leader() (api.Leader, bool) {
	return api.Leader{ID: "id-1", Name: "n1", HTTP: "127.0.0.1:7701"}, !c.w.leaderless.Load()
}

func (c fakeCluster) ReadIndex(context.Context) (uint64, error) { return c.w.store.Index(), nil }

func (c fakeCluster) WaitApplied(_ context.Context, index uint64) error {
	c.w.waited.Store(index)
	return nil
}

func (c fakeCluster) Replayed(context.Context) error {
	if c.w.replaying.Load() {
		return transport.ErrNoLeader
	}
	return nil
}

func (c fakeCluster) CaughtUp() bool { return c.w.caughtUp.Load() }

func (c fakeCluster) TransferLeadership(context.Context) (api.Leader, error) {
	if c.w.leaderless.Load() {
		return api.Leader{}, errors.New("raft: secret detail")
	}
	return api.Leader{ID: "id-2", Name: "n2", HTTP: "127.0.0.1:7702"}, nil
}

func (c fakeCluster) Voters() map[string]bool {
	if c.w.voters.Load() > 1 {
		return map[string]bool{"id-1": true, "id-9": true}
	}
	return map[string]bool{"id-1": true}
}

func (c fakeCluster) Gossip() map[string]string { return map[string]string{"id-2": "suspect"} }

func (c fakeCluster) Namesakes() map[string][]string {
	return map[string][]string{"id-2": {"127.0.0.1:99"}}
}

func (c fakeCluster) Health() map[string]string {
	return map[string]string{"id-3": "down", "id-4": "suspect"}
}

func (c fakeCluster) Loads(context.Context) map[string]api.NodeLoad {
	return map[string]api.NodeLoad{"id-1": {Average: 0.5, Cores: 4, Weight: 7}}
}

func (c fakeCluster) PlanScale(s fsm.Autoscale) (api.ScalePlan, error) {
	return api.ScalePlan{Nodes: 1, Delta: s.Min - 1}, nil
}

func (c fakeCluster) RTT() api.RTT { return api.RTT{Nodes: []string{"n1"}} }

// fakeCompiler reads a file of one job name a line.
type fakeCompiler struct{}

func (fakeCompiler) Parse(_ *fsm.View, name string, body []byte, ns string) (api.PutJobs, []api.Diagnostic) {
	var specs []fsm.JobSpec
	for i, line := range strings.Fields(string(body)) {
		if line == "bad" {
			return api.PutJobs{}, []api.Diagnostic{{Summary: "no such thing", Detail: "want another", File: name, Line: i + 1, Column: 1}}
		}
		s := spec(line)
		s.Namespace = ns
		specs = append(specs, s)
	}
	return api.PutJobs{Jobs: specs}, nil
}

func (fakeCompiler) Check(s *fsm.JobSpec) []*fsm.FieldError {
	if len(s.Constraints) > 0 && s.Constraints[0].Value == "(" {
		return []*fsm.FieldError{{Path: "constraint[0] value", Message: "no regular expression"}}
	}
	return nil
}

func (fakeCompiler) Warnings(_ *fsm.View, specs []fsm.JobSpec, _ []fsm.PoolResult) []string {
	if len(specs) > 0 && specs[0].Description == "warn" {
		return []string{"no node can take it"}
	}
	return nil
}

func (fakeCompiler) FirstInstants(s *fsm.JobSpec, after fsm.Time) ([]fsm.Time, error) {
	var next []fsm.Time
	for _, sched := range s.Schedules {
		if sched.Cron == "never" {
			return nil, errors.New(`schedule[0] cron "never": want five fields`)
		}
		next = append(next, after.Add(sched.Every))
	}
	return next, nil
}

// fakeLogs holds one log; with follow it goes on until closed.
type fakeLogs struct {
	text   string
	more   chan string
	opened atomic.Pointer[logOpen]
}

type logOpen struct {
	Ref    fsm.AttemptRef
	Stream string
	Follow bool
	Tail   int64
}

func (f *fakeLogs) Open(ctx context.Context, ref fsm.AttemptRef, stream string, follow bool, tail int64) (io.ReadCloser, error) {
	f.opened.Store(&logOpen{ref, stream, follow, tail})
	if f.text == "" {
		return nil, fmt.Errorf("log of %s: %w", ref, fsm.ErrNotFound)
	}
	if !follow {
		return io.NopCloser(strings.NewReader(f.text)), nil
	}
	return &followedLog{ctx: ctx, text: f.text, more: f.more}, nil
}

type followedLog struct {
	ctx  context.Context
	text string
	more chan string
}

func (l *followedLog) Read(b []byte) (int, error) {
	if l.text == "" {
		select {
		case text, ok := <-l.more:
			if !ok {
				return 0, io.EOF
			}
			l.text = text
		case <-l.ctx.Done():
			return 0, l.ctx.Err()
		}
	}
	n := copy(b, l.text)
	l.text = l.text[n:]
	return n, nil
}

func (l *followedLog) Close() error { return nil }
