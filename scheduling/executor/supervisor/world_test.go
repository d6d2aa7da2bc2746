package supervisor

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// world is a supervisor that the test binary plays, in a folder of its own.
type world struct {
	t       testing.TB
	dir     string
	self    string // what is run as the supervisor
	program string
	env     []string
	cmd     *exec.Cmd
	ended   chan struct{}
}

func newWorld(t *testing.T, env ...string) *world {
	t.Helper()
	t.Parallel()
	w := makeWorld(t, env...)
	w.start()
	return w
}

// makeWorld is newWorld before the start.
func makeWorld(t testing.TB, env ...string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), self: os.Args[0], env: env}
	w.program = filepath.Join(w.dir, "program")
	w.install()
	t.Cleanup(func() {
		w.kill()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(w.dir, "log"))
			t.Logf("log:\n%s", log)
		}
	})
	return w
}

// install puts a fresh copy of the test binary where the agents are started from.
func (w *world) install() {
	w.t.Helper()
	b, err := os.ReadFile(os.Args[0])
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.program+".new", b, 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(w.program+".new", w.program); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start() {
	w.t.Helper()
	log, err := os.OpenFile(filepath.Join(w.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close()
	w.cmd = exec.Command(w.self)
	w.cmd.Stdout, w.cmd.Stderr = log, log
	w.cmd.Env = append(os.Environ(), "SUPERVISOR_TEST_DIR="+w.dir, "SUPERVISOR_TEST_PROGRAM="+w.program)
	w.cmd.Env = append(w.cmd.Env, w.env...)
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	w.ended = ended
	go func(cmd *exec.Cmd) {
		defer close(ended)
		_ = cmd.Wait() // its state is looked at by the test
	}(w.cmd)
}

func (w *world) kill() {
	_ = w.cmd.Process.Kill()
	<-w.ended
}

func (w *world) signal(sig os.Signal) {
	w.t.Helper()
	if err := w.cmd.Process.Signal(sig); err != nil {
		w.t.Fatal(err)
	}
}

// exit waits for the supervisor's end and returns its status.
func (w *world) exit() int {
	w.t.Helper()
	select {
	case <-w.ended:
	case <-time.After(patience):
		w.t.Fatal("the supervisor does not end")
	}
	return w.cmd.ProcessState.ExitCode()
}

func (w *world) path(file string) string { return filepath.Join(w.dir, file) }

func (w *world) write(file, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(file), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) lines(file string) []string { return lines(w.t, w.path(file)) }

// agent waits for the n-th agent to be ready, and returns its pid and the inode
// of its program.
func (w *world) agent(n int) (pid int, inode string) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("agent %d is ready", n), func() bool { return len(w.lines(fileAgents)) >= n })
	text, inode, _ := strings.Cut(w.lines(fileAgents)[n-1], " ")
	pid, err := strconv.Atoi(text)
	if err != nil {
		w.t.Fatal(err)
	}
	return pid, inode
}

// job has the agent start a job that counts until the file go exists, and
// returns its pid.
func (w *world) job(id string, more ...string) int {
	w.t.Helper()
	script := strings.Join(append(more, fmt.Sprintf("echo $$ > %[1]s; i=0; while [ ! -e %[2]s ]; do i=$((i+1)); echo $i; sleep 0.01; done; echo end",
		w.path("pid-"+id), w.path("go"))), "; ")
	req := shell(id, script)
	req.Env, req.OutputDir = os.Environ(), w.path("out-"+id)
	b, err := json.Marshal(req)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := appendLine(w.dir, fileStarts, string(b)); err != nil {
		w.t.Fatal(err)
	}
	var pid int
	eventually(w.t, "job "+id+" runs", func() bool {
		l := w.lines("pid-" + id)
		if len(l) == 0 {
			return false
		}
		pid, err = strconv.Atoi(l[0])
		return err == nil
	})
	return pid
}

// results waits for n results, and returns them.
func (w *world) results(n int) []proc.Result {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("%d results", n), func() bool { return len(w.lines(fileResults)) >= n })
	var all []proc.Result
	for _, line := range w.lines(fileResults) {
		var r proc.Result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func kill(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

// checkWhole fails unless the output counts from 1 without a gap and has its end.
func (w *world) checkWhole(id string) {
	w.t.Helper()
	var out strings.Builder
	ended := func() bool { return true }
	err := proc.OpenLogs(w.path("out-"+id)).Follow(w.t.Context(), proc.Stdout, 0, ended, func(c proc.Chunk) error {
		out.Write(c.Data)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	all := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, line := range all[:len(all)-1] {
		if line != fmt.Sprint(i+1) {
			w.t.Fatalf("line %d is %q", i+1, line)
		}
	}
	if all[len(all)-1] != "end" {
		w.t.Errorf("the last line is %q", all[len(all)-1])
	}
}
