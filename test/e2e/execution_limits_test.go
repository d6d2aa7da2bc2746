package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

// broodScript starts fifty processes that nothing ties to it any more: each in
// a session of its own, orphaned at birth, and deaf to TERM. $MARK is in the
// command line of each.
const broodScript = `
trap '' TERM
i=0
while [ $i -lt 50 ]; do
  (setsid sh -c 'trap "" TERM; while :; do sleep 1000; done' "$MARK" &)
  i=$((i+1))
done
while :; do sleep 1; done
`

// TestCancelBrood: a job whose fifty children have detached themselves is gone,
// with all of them, within a second after its grace.
func TestCancelBrood(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Nodes: 1})
	mark := fmt.Sprintf("brood-%d", rand.Int64())
	grace := time.Second
	task := fsm.Task{
		Name: "main", Driver: fsm.DriverShell, Command: broodScript, Env: map[string]string{"MARK": mark}, Grace: fsm.Duration(grace),
	}
	put(t, c.Client(0), oneTask("brood", task))
	id := runJob(t, c.Client(0), "brood")
	cluster.Eventually(t, settleWithin, "fifty children", func() error {
		if got := len(processesWith(mark)); got < 50 {
			return errCount{got, 50}
		}
		return nil
	})
	asked := time.Now()
	if r := c.CLI(c.Nodes[0], "cancel", id); r.Code != 0 {
		t.Fatalf("cancel: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	cluster.Eventually(t, settleWithin, "the end of the children", func() error {
		if left := processesWith(mark); len(left) > 0 {
			return fmt.Errorf("%d are alive", len(left))
		}
		return nil
	})
	gone := time.Since(asked)
	t.Logf("all gone %s after the cancel, of which %s is the grace", gone, grace)
	if gone > grace+time.Second {
		t.Errorf("the last child was gone after %s, want at most %s", gone, grace+time.Second)
	}
	if run := waitRun(t, c.Client(0), id); run.State != fsm.RunCancelled {
		t.Errorf("the run is %s", run.State)
	}
}

// ending is how an attempt ended, as a program sees it.
type ending struct {
	Outcome, Signal string
	Code            int
	OOM             bool
}

// hogs are tasks that take what they can get, and some that just fail, to be told
// apart from them.
func hogs() []fsm.Task {
	timeout := fsm.Duration(3 * time.Second)
	list := []fsm.Task{
		{Name: "forks", Driver: fsm.DriverShell, Pids: 64, Grace: fsm.Duration(time.Second), Command: `while :; do sleep 1000 & done`},
		{Name: "bomb", Driver: fsm.DriverShell, Pids: 64, Grace: fsm.Duration(time.Second), Timeout: timeout, Command: `trap '' TERM; bomb() { bomb | bomb & }; bomb; while :; do :; done`},
		{Name: "memory", Driver: fsm.DriverExec, Memory: 64 << 20, Command: "tail", Args: []string{"/dev/zero"}},
		{Name: "cpu", Driver: fsm.DriverShell, CPU: 0.2, Timeout: timeout, Command: `while :; do :; done`},
		{Name: "exit", Driver: fsm.DriverShell, Command: `exit 7`},
		{Name: "killed", Driver: fsm.DriverShell, Command: `kill -9 $$`},
		{Name: "missing", Driver: fsm.DriverExec, Command: "/no/such/program"},
	}
	for i := range 4 {
		list = append(list, fsm.Task{Name: fmt.Sprintf("writer-%d", i), Driver: fsm.DriverExec, Command: "yes", Timeout: timeout})
	}
	return list
}

// hogEndings is how each must be seen to have ended. The number of writers does
// not matter.
var hogEndings = map[string]ending{
	"forks":   {Outcome: fsm.AttemptFailed, Code: 1},
	"bomb":    {Outcome: fsm.AttemptTimeout, Code: -1, Signal: "SIGKILL"},
	"memory":  {Outcome: fsm.AttemptFailed, Code: -1, Signal: "SIGKILL", OOM: true},
	"cpu":     {Outcome: fsm.AttemptTimeout, Code: -1, Signal: "SIGTERM"},
	"writer":  {Outcome: fsm.AttemptTimeout, Code: -1, Signal: "SIGTERM"},
	"exit":    {Outcome: fsm.AttemptFailed, Code: 7},
	"killed":  {Outcome: fsm.AttemptFailed, Code: -1, Signal: "SIGKILL"},
	"missing": {Outcome: fsm.AttemptStartFailed, Code: -1},
}

// TestHogsAreContained: tasks that take what they can get end as their limits
// say, each told apart from the others, while other jobs go on.
func TestHogsAreContained(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	nodes, err := c.Client(0).Nodes(t.Context(), api.Page{}, api.Read{})
	if err != nil {
		t.Fatal(err)
	}
	limits := nodes.Items[0].Limits
	t.Logf("limits: %s", limits)
	l := startLoad(t, c, 5)
	began := time.Now()
	ids := map[string]string{}
	for _, task := range hogs() {
		spec := oneTask("hog-"+task.Name, task)
		put(t, c.Client(0), spec)
		ids[task.Name] = runJob(t, c.Client(0), spec.Name)
	}
	for name, id := range ids {
		waitRun(t, c.Client(0), id)
		checkEnding(t, name, onlyShard(t, status(t, c, c.Nodes[0], id)), limits)
	}
	t.Logf("the hogs were done after %s", time.Since(began))
	cluster.Until(t, time.Now().Add(time.Second))
	v := l.verifyAllRan()
	t.Logf("other jobs beside the hogs: p99 %s late", v.Percentile(0.99))
}

// checkEnding compares how a hog ended with what was expected, on a machine that
// can keep the limits given as text.
func checkEnding(t *testing.T, name string, shard api.Shard, limits string) {
	t.Helper()
	attempts := attemptsOf(shard)
	if len(attempts) != 1 {
		t.Errorf("%s: %d attempts", name, len(attempts))
		return
	}
	a := attempts[0]
	kind, _, _ := strings.Cut(name, "-")
	want := hogEndings[kind]
	controller := map[string]string{"forks": "pids", "bomb": "pids", "memory": "memory", "cpu": "cpu"}[kind]
	if controller != "" && !strings.Contains(limits, controller) {
		t.Logf("this machine cannot limit %s: %s must not run at all", controller, name)
		want = ending{Outcome: fsm.AttemptStartFailed, Code: -1}
	}
	if kind == "forks" && a.ExitCode > 0 {
		want.Code = a.ExitCode // the shell's own choice
	}
	t.Logf("%s: %s, exit code %d, %s, oom %v, truncated %v: reason %q, error %q",
		name, a.Outcome, a.ExitCode, a.Signal, a.OOM, a.Truncated, shard.Reason, a.Error)
	if diff := cmp.Diff(want, ending{a.Outcome, a.Signal, a.ExitCode, a.OOM}); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
	if shard.Reason == "" {
		t.Errorf("%s: its shard failed without a reason", name)
	}
	if kind == "writer" && !a.Truncated {
		t.Errorf("%s: more was printed than is kept, and that is not said", name)
	}
}

// TestHTTPTask: what an answer is worth, and a call that is cancelled.
func TestHTTPTask(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{})
	var flaky atomic.Int32
	hanging, cutOff := make(chan struct{}, 1), make(chan struct{}, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /good", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hello %s", r.URL.Query().Get("run")) })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "come back later", http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/flaky", func(w http.ResponseWriter, _ *http.Request) {
		if flaky.Add(1) < 3 {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) {
		hanging <- struct{}{}
		<-r.Context().Done()
		cutOff <- struct{}{}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	call := func(name, method, path string) fsm.Task {
		return fsm.Task{Name: name, Driver: fsm.DriverHTTP, HTTP: &fsm.HTTPCall{Method: method, URL: server.URL + path}}
	}
	flakyCall := call("main", "", "/flaky")
	flakyCall.Retry = fsm.Retry{Attempts: 3, Backoff: fsm.Duration(200 * time.Millisecond)}
	put(t, c.Client(0), oneTask("good", call("main", "POST", "/good?run=${run.id}")), oneTask("busy", call("main", "", "/busy")),
		oneTask("flaky", flakyCall), oneTask("hang", call("main", "", "/hang")),
		oneTask("nobody", fsm.Task{Name: "main", Driver: fsm.DriverHTTP, HTTP: &fsm.HTTPCall{URL: "http://" + closedPort(t)}}))
	for _, tc := range []struct {
		job      string
		state    fsm.RunState
		outcomes []string
		says     string
	}{
		{"good", fsm.RunSucceeded, []string{fsm.AttemptSucceeded}, "hello 0"},
		{"busy", fsm.RunFailed, []string{fsm.AttemptFailed}, "503"},
		{"flaky", fsm.RunSucceeded, []string{fsm.AttemptFailed, fsm.AttemptFailed, fsm.AttemptSucceeded}, "503"},
		{"nobody", fsm.RunFailed, nil, "refused"},
	} {
		id := runJob(t, c.Client(1), tc.job)
		waitRun(t, c.Client(1), id)
		run := status(t, c, c.Nodes[1], id)
		var outcomes []string
		said := ""
		for _, a := range attemptsOf(onlyShard(t, run)) {
			outcomes = append(outcomes, a.Outcome)
			said += a.Error + " " + string(a.Tail) + "\n"
		}
		t.Logf("%s: %s after %q: %q", tc.job, run.State, outcomes, said)
		if diff := cmp.Diff(tc.outcomes, outcomes); run.State != tc.state || tc.outcomes != nil && diff != "" || !strings.Contains(said, tc.says) {
			t.Errorf("%s: the run is %s, want %s, saying %q; outcomes (-want +got):\n%s", tc.job, run.State, tc.state, tc.says, diff)
		}
	}
	id := runJob(t, c.Client(2), "hang")
	received(t, hanging, "the call that hangs")
	if r := c.CLI(c.Nodes[0], "cancel", id); r.Code != 0 {
		t.Errorf("cancel: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	received(t, cutOff, "the end of the call that hangs")
	if run := waitRun(t, c.Client(2), id); run.State != fsm.RunCancelled {
		t.Errorf("the cancelled call's run is %s", run.State)
	}
}

// closedPort returns an address that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func received(t *testing.T, from <-chan struct{}, what string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settleWithin)
	defer cancel()
	select {
	case <-from:
	case <-ctx.Done():
		t.Fatalf("%s did not come within %s", what, settleWithin)
	}
}
