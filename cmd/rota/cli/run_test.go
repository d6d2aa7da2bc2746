package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// progress serves the states of a run, the next at each blocking read.
func progress(states ...api.Run) http.HandlerFunc {
	var reads atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request) {
		n := min(int(reads.Add(1)), len(states)) - 1
		w.Header().Set(api.HeaderIndex, fmt.Sprint(n+1))
		answerBody(w, states[n])
	}
}

func answerBody(w http.ResponseWriter, run api.Run) {
	index := w.Header().Get(api.HeaderIndex)
	answer(200, run)(indexKeeper{w, index}, nil)
}

// indexKeeper keeps answer from setting its own index.
type indexKeeper struct {
	http.ResponseWriter
	index string
}

func (k indexKeeper) WriteHeader(status int) {
	k.Header().Set(api.HeaderIndex, k.index)
	k.ResponseWriter.WriteHeader(status)
}

// stateOf is a run of one task in that state.
func stateOf(state fsm.RunState, started bool) api.Run {
	run := api.Run{Run: fsm.Run{ID: waitingID, Namespace: "default", Job: "nightly", State: state}}
	shard := api.Shard{Shard: fsm.Shard{RunID: waitingID, Task: "main"}, NodeName: "n1"}
	if started {
		run.StartedAt = at(-time.Second)
		shard.Current = fsm.Attempt{Number: 1, StartedAt: at(-time.Second)}
	}
	if state.Ended() {
		run.EndedAt = at(0)
	}
	run.Tasks = []api.Task{{RunTask: fsm.RunTask{Name: "main"}, Items: []api.Shard{shard}}}
	return run
}

func TestRunWaits(t *testing.T) {
	tests := []struct {
		name, args string
		end        fsm.RunState
		want       result
	}{
		{"wait succeeded", "run nightly --wait", fsm.RunSucceeded, result{
			0, "Run " + waitingID + " of nightly: succeeded in 1s.\n", "Run " + waitingID + " of nightly has been started.\n"}},
		{"wait failed", "run nightly --wait -q", fsm.RunFailed, result{
			1, waitingID + "\n", "Error: the run did not succeed: \"rota status " + waitingID + "\" says why.\n"}},
		{"wait cancelled", "run nightly --wait -q", fsm.RunCancelled, result{
			1, waitingID + "\n", "Error: the run did not succeed: \"rota status " + waitingID + "\" says why.\n"}},
		{"follow succeeded", "run nightly --follow -q", fsm.RunSucceeded, result{0, "the output\n", ""}},
		{"follow failed", "run nightly --follow", fsm.RunFailed, result{
			1, "the output\n", "Run " + waitingID + " of nightly has been started.\nRun " + waitingID + " of nightly: failed in 1s.\n" +
				"Error: the run did not succeed: \"rota status " + waitingID + "\" says why.\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, map[string]http.HandlerFunc{
				"POST /v1/jobs/nightly/run":           answer(201, stateOf(fsm.RunPending, false)),
				"GET /v1/runs/" + waitingID:           progress(stateOf(fsm.RunPending, false), stateOf(fsm.RunRunning, true), stateOf(tt.end, true)),
				"GET /v1/runs/" + waitingID + "/logs": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "the output") },
			})
			if got := execute(t.Context(), "", strings.Fields(tt.args)...); got != tt.want {
				t.Errorf("got %v\nwant %v", got, tt.want)
			}
		})
	}
}

// TestWaitOutlastsAnElection: reads that fail for a moment do not end a wait.
func TestWaitOutlastsAnElection(t *testing.T) {
	var reads atomic.Int64
	end := answer(200, stateOf(fsm.RunSucceeded, true))
	serve(t, map[string]http.HandlerFunc{
		"POST /v1/jobs/nightly/run": answer(201, stateOf(fsm.RunPending, false)),
		"GET /v1/runs/" + waitingID: func(w http.ResponseWriter, r *http.Request) {
			switch reads.Add(1) {
			case 1:
				refuse(503, api.CodeNoLeader, "no leader")(w, r)
			case 2:
				conn, _, _ := http.NewResponseController(w).Hijack()
				conn.Close()
			default:
				end(w, r)
			}
		},
	})
	if got := execute(t.Context(), "", "run", "nightly", "--wait"); got.code != 0 || reads.Load() != 4 {
		t.Errorf("%d reads, the last for the shards: %v", reads.Load(), got)
	}
}

// TestRunOfUnknownFate: the run is not started a second time.
func TestRunOfUnknownFate(t *testing.T) {
	var writes atomic.Int64
	serve(t, map[string]http.HandlerFunc{"POST /v1/jobs/nightly/run": func(w http.ResponseWriter, _ *http.Request) {
		writes.Add(1)
		conn, _, _ := http.NewResponseController(w).Hijack()
		conn.Close()
	}})
	got := execute(t.Context(), "", "run", "nightly", "--wait")
	if got.code != 1 || writes.Load() != 1 || !strings.Contains(got.stderr, "may or may not have happened") {
		t.Errorf("%d writes: %v", writes.Load(), got)
	}
}

// TestInterruptedWait says that the run goes on.
func TestInterruptedWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	serve(t, map[string]http.HandlerFunc{
		"POST /v1/jobs/nightly/run": answer(201, stateOf(fsm.RunPending, false)),
		"GET /v1/runs/" + waitingID: func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		},
	})
	got := execute(ctx, "", "run", "nightly", "--wait")
	want := "Run " + waitingID + " of nightly has been started.\nThe run goes on; \"rota cancel " + waitingID + "\" stops it.\nInterrupted.\n"
	if got.code != 1 || got.stderr != want {
		t.Errorf("got %v", got)
	}
}

// TestLogsOfALostNode: what cannot be had is a note, and the rest follows.
func TestLogsOfALostNode(t *testing.T) {
	serve(t, map[string]http.HandlerFunc{
		"GET /v1/runs/abcdef":      answer(200, failedRun()),
		"GET /v1/runs/" + failedID: answer(200, failedRun()),
		"GET /v1/runs/" + failedID + "/logs": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("attempt") == "1" {
				refuse(503, api.CodeUnreachable, "node n2 cannot be asked")(w, r)
				return
			}
			fmt.Fprintln(w, "second")
		},
	})
	got := execute(t.Context(), "", "logs", "abcdef", "-f")
	if got.code != 0 || !strings.HasSuffix(got.stdout, "second\n") ||
		got.stderr != "The output of crunch, shard 0, attempt 1 cannot be had, or not all of it: node n2 cannot be asked.\n" {
		t.Errorf("got %v", got)
	}
}

// TestLogsOfWhatCouldNotBeStarted says why there is nothing to read, and asks no
// node for it.
func TestLogsOfWhatCouldNotBeStarted(t *testing.T) {
	run := failedRun()
	for i := range run.Tasks[0].Items {
		shard := &run.Tasks[0].Items[i]
		shard.Past, shard.NodeName = nil, "n1"
		shard.Current = fsm.Attempt{Number: 1, StartedAt: 1, EndedAt: 1, Outcome: fsm.AttemptStartFailed, Error: "no such file"}
	}
	run.Tasks = run.Tasks[:1]
	serve(t, map[string]http.HandlerFunc{
		"GET /v1/runs/abcdef":      answer(200, run),
		"GET /v1/runs/" + failedID: answer(200, run),
	})
	for _, args := range [][]string{{"logs", "abcdef"}, {"logs", "abcdef", "-f"}} {
		got := execute(t.Context(), "", args...)
		want := run.Tasks[0].Name + ", shard 0, attempt 1, on n1 could not be started: no such file\n"
		if got.code != 0 || got.stderr != want {
			t.Errorf("%v: %v", args, got)
		}
	}
}
