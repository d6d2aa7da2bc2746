package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/membership"
	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/scheduling/executor"
	"github.com/rota-scheduler/rota/scheduling/jobspec"
	"github.com/rota-scheduler/rota/scheduling/match"
	"github.com/rota-scheduler/rota/transport"
	"github.com/rota-scheduler/rota/transport/api"
	"github.com/rota-scheduler/rota/transport/httpapi"
)

// nodeWait is how long a request for another node's log waits for it.
const nodeWait = time.Second

// The peers' watch: how often each side says something, and the longest pause
// between tries to connect.
const (
	peerInterval = 2 * time.Second
	peerBackoff  = time.Second
)

// handler joins the API, the calls between nodes and the peers' watch.
func (a *Agent) handler() http.Handler {
	toLeader := transport.NewForwarder(transport.ForwarderConfig{
		Resolve: func(*http.Request) (string, bool) {
			l, ok := a.Leader()
			// A node that was elected while the request waited serves it itself.
			return l.HTTP, ok && (l.ID != a.self.ID || a.IsLeader())
		},
		OnError: httpapi.ForwardError, Dial: a.seams.Dial, Logger: a.logger,
	})
	toNode := transport.NewForwarder(transport.ForwarderConfig{
		Resolve: httpapi.Target, OnError: httpapi.ForwardError, Wait: nodeWait, Dial: a.seams.Dial, Logger: a.logger,
	})
	a.forwarders = append(a.forwarders, toLeader, toNode)
	return httpapi.New(httpapi.Config{
		Store: a.store, Cluster: a, Proposer: a, Jobs: compiler{}, Logs: logs{a.executor},
		Forward: toLeader, ForwardNode: toNode, Clock: a.clock.Now, Waiting: a.waiting,
		NodeID: a.self.ID, NodeName: a.self.Name, Version: a.seams.Version,
		Metrics:  a.metrics(),
		Peers:    transport.ServePeerWatch(transport.PeerWatchConfig{Identity: a.self.ID, Incarnation: a.self.Incarnation, Interval: peerInterval * a.seams.Pace}),
		Internal: a.internal(), Logger: a.logger,
	})
}

// internal serves the calls between nodes.
func (a *Agent) internal() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathHeartbeat, func(w http.ResponseWriter, r *http.Request) {
		var hb heartbeat
		answerJSON(w, r, &hb, func() (any, error) { return a.answerHeartbeat(hb) })
	})
	mux.HandleFunc("POST "+pathReports, func(w http.ResponseWriter, r *http.Request) {
		var batch fsm.ReportAttempts
		answerJSON(w, r, &batch, func() (any, error) { return struct{}{}, a.takeReports(r.Context(), batch) })
	})
	mux.HandleFunc("POST "+pathDrain, func(w http.ResponseWriter, r *http.Request) {
		var request drainRequest
		answerJSON(w, r, &request, func() (any, error) { return struct{}{}, a.answerDrain(r.Context(), request) })
	})
	mux.HandleFunc("GET "+pathLoads, func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, r, nil, func() (any, error) { return a.loads.all(a.clock.Mono()), nil })
	})
	mux.HandleFunc("GET "+pathStats, func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, r, nil, func() (any, error) { return membership.LocalStats(a.raft.Raft()) })
	})
	mux.HandleFunc("GET "+pathState, func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, r, nil, func() (any, error) { return a.replica(), nil })
	})
	return mux
}

// replica is what a node's state comes to: replicas at the same index have the
// same hash.
type replica struct {
	Index uint64 `json:"index"`
	Hash  string `json:"hash"`
}

func (a *Agent) replica() replica {
	index, hash := a.store.Hash()
	return replica{index, hash}
}

// answerJSON decodes the body into in, if there is one to decode, and writes
// what answer returns.
func answerJSON(w http.ResponseWriter, r *http.Request, in any, answer func() (any, error)) {
	if in != nil {
		if err := json.NewDecoder(r.Body).Decode(in); err != nil {
			httpapi.WriteError(w, r, fmt.Errorf("%w: body: %w", fsm.ErrInvalid, err))
			return
		}
	}
	out, err := answer()
	if err != nil {
		httpapi.WriteError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the caller is gone: nobody to tell
}

// statsTimeout bounds one round of asking every node for its raft statistics.
const statsTimeout = time.Second

// fetchStats asks each server how far it is; autopilot promotes and removes by
// the answers. A server that does not answer is left out.
func (a *Agent) fetchStats(ctx context.Context, servers map[raft.ServerID]*autopilot.Server) map[raft.ServerID]*autopilot.ServerStats {
	ctx, cancel := context.WithTimeout(ctx, statsTimeout)
	defer cancel()
	addr := map[string]string{}
	for _, m := range a.gossip.Members() {
		addr[m.ID] = m.HTTPAddr
	}
	stats := map[raft.ServerID]*autopilot.ServerStats{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for id := range servers {
		wg.Go(func() {
			var s autopilot.ServerStats
			var err error
			if string(id) == a.self.ID {
				s, err = membership.LocalStats(a.raft.Raft())
			} else if addr[string(id)] == "" {
				return
			} else {
				err = a.caller.Call(ctx, addr[string(id)], http.MethodGet, pathStats, nil, &s)
			}
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			stats[id] = &s
		})
	}
	wg.Wait()
	return stats
}

func newPeers(a *Agent) *peers {
	cfg := transport.WatchConfig{
		Hello: transport.Hello{Node: a.self.ID, Incarnation: a.self.Incarnation}, Mono: a.clock.Mono, Dial: a.seams.Dial, Logger: a.logger,
		Silence: 3 * peerInterval * a.seams.Pace, MaxBackoff: peerBackoff * a.seams.Pace,
	}
	return &peers{
		self: a.self.ID, members: a.gossip, logger: a.logger, notes: map[string]scheduling.Refusal{},
		watch: func(ctx context.Context, id, addr string) <-chan transport.PeerEvent {
			watch := cfg
			watch.Peer = id
			return transport.WatchPeer(ctx, addr, watch)
		},
	}
}

// compiler is the job file and the time rules, as the API needs them.
type compiler struct{}

func (compiler) Parse(v *fsm.View, name string, body []byte, namespace string) (api.PutJobs, []api.Diagnostic) {
	content, diags := jobspec.Decode([]jobspec.Source{{Name: name, Bytes: body}}, jobspec.Options{Namespace: namespace})
	if !diags.HasErrors() {
		diags = content.CheckPools(v.PoolLimit)
	}
	if !diags.HasErrors() {
		return api.PutJobs{Jobs: content.Jobs, Pools: content.Pools}, nil
	}
	var problems []api.Diagnostic
	for _, p := range jobspec.Problems(diags) {
		problems = append(problems, api.Diagnostic{
			Summary: p.Summary, Detail: p.Detail, File: p.File, Line: p.Line, Column: p.Column,
		})
	}
	return api.PutJobs{}, problems
}

// Check finds what validation leaves out: what takes a compiler.
func (compiler) Check(spec *fsm.JobSpec) []*fsm.FieldError { return match.Check(spec) }

func (compiler) Warnings(v *fsm.View, specs []fsm.JobSpec, pools []fsm.PoolResult) []string {
	return scheduling.Warnings(v, specs, pools)
}

func (compiler) FirstInstants(spec *fsm.JobSpec, after fsm.Time) ([]fsm.Time, error) {
	return scheduling.FirstInstants(spec, after)
}

// logs is the output on this node, as the API needs it.
type logs struct{ executor *executor.Executor }

func (l logs) Open(ctx context.Context, ref fsm.AttemptRef, stream string, follow bool, tail int64) (io.ReadCloser, error) {
	r, err := l.executor.Output(ctx, ref, stream, follow, tail)
	if errors.Is(err, executor.ErrNoLog) {
		err = fmt.Errorf("%w: %w", fsm.ErrNotFound, err)
	}
	return r, err
}
