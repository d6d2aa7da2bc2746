package dev

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// roleVariable makes the test binary play an agent.
const roleVariable = "ROTA_DEV_TEST_ROLE"

// Roles.
const (
	roleAgent    = "agent"    // serves a little of the API until SIGTERM
	roleStubborn = "stubborn" // does not hear SIGTERM
	roleBroken   = "broken"   // ends at once
	roleParent   = "parent"   // starts an agent as rota dev does, prints its pid and waits
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case roleAgent:
		os.Exit(playAgent())
	case roleStubborn:
		playStubborn()
	case roleBroken:
		fmt.Println("cannot open the data dir")
		os.Exit(1)
	case roleParent:
		os.Exit(playParent())
	}
	goleak.VerifyTestMain(m)
}

// playParent starts one child and waits to be killed.
func playParent() int {
	child := exec.Command(os.Args[0], "agent", "--http-port", "0")
	child.Env = append(os.Environ(), roleVariable+"="+roleAgent)
	if err := newSpawner().start(child); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(child.Process.Pid)
	playStubborn()
	return 0
}

// playStubborn hears SIGTERM and goes on.
func playStubborn() {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGTERM)
	fmt.Println("up")
	for range heard {
		fmt.Println("heard and ignored")
	}
}

// flagValue returns the value of a flag in the program's arguments.
func flagValue(name string) string {
	if i := slices.Index(os.Args, name); i >= 0 && i+1 < len(os.Args) {
		return os.Args[i+1]
	}
	return ""
}

// playAgent is an agent as far as rota dev can tell: n1 leads, and there is one
// run of the job tick.
func playAgent() int {
	done := make(chan os.Signal, 1)
	signal.Notify(done, syscall.SIGTERM)
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, flagValue("--http-port")))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("up")
	go http.Serve(l, agentHandler()) //nolint:errcheck // ends with the process
	<-done
	return 0
}

func agentHandler() http.Handler {
	run := fsm.Run{
		ID: "RUN1", Namespace: fsm.DefaultNamespace, Job: "tick", State: fsm.RunRunning, ModifyIndex: 7,
		ScheduledAt: fsm.At(time.Now()), StartedAt: fsm.At(time.Now().Add(time.Millisecond)),
	}
	full := api.Run{Run: run, Tasks: []api.Task{{Items: []api.Shard{{
		Shard: fsm.Shard{Current: fsm.Attempt{StartedAt: run.StartedAt}}, NodeName: "n2",
	}}}}}
	ended := run
	ended.State, ended.ModifyIndex = fsm.RunSucceeded, 8
	mux := http.NewServeMux()
	give := func(pattern string, v any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v) })
	}
	give("GET /v1/leader", api.Leader{Name: "n1"})
	give("GET /v1/nodes", api.List[api.Node]{Items: []api.Node{{Node: fsm.Node{Name: "n1"}, Leader: true}}})
	give("GET /v1/runs", api.List[fsm.Run]{Items: []fsm.Run{run}, Index: 7})
	give("GET /v1/runs/RUN1", full)
	give("PUT /v1/jobs", api.List[fsm.PutResult]{Items: make([]fsm.PutResult, 2)})
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		data, _ := json.Marshal(api.Event{Index: 8, Kind: "run", Run: &ended})
		fmt.Fprintf(w, "id: 8\ndata: %s\n\n", data)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	return mux
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(15 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("in vain: %s", what)
		case <-tick.C:
		}
	}
}

// gone says whether no process of that id is left.
func gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }
