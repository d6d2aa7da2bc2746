package supervisor

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// TestJobOutlivesItsAgents: three crashes and an upgrade, and the job has one
// process, one end, and all of its output.
func TestJobOutlivesItsAgents(t *testing.T) {
	w := newWorld(t)
	w.agent(1)
	job := w.job("a")
	for n := 1; n <= 3; n++ {
		pid, _ := w.agent(n)
		kill(t, pid, syscall.SIGKILL)
	}
	old, oldProgram := w.agent(4)
	w.install()
	w.signal(syscall.SIGHUP)
	pid, program := w.agent(5)
	if pid == old || program == oldProgram || alive(old) {
		t.Errorf("agent %d of program %s after agent %d of program %s", pid, program, old, oldProgram)
	}
	second := w.job("b")
	w.write("go", "")
	results := w.results(2)
	for _, r := range results {
		if r.Outcome != proc.Succeeded {
			t.Errorf("result %+v", r)
		}
		w.checkWhole(r.ID)
	}
	for _, line := range w.lines(fileAdopted) {
		if line != fmt.Sprintf("a %d", job) {
			t.Errorf("adopted %q, want the job %d", line, job)
		}
	}
	if n := len(w.lines(fileAdopted)); n != 4 {
		t.Errorf("adopted %d times, want 4", n)
	}
	w.signal(syscall.SIGTERM)
	if status := w.exit(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if all := w.lines(fileResults); len(all) != 2 {
		t.Errorf("%d results, want 2: %q", len(all), all)
	}
	if alive(job) || alive(second) || alive(pid) {
		t.Error("a process is left")
	}
}

// TestUpgradeByLink: the program is what the path leads to by which the
// supervisor was called, even if that was another file then.
func TestUpgradeByLink(t *testing.T) {
	t.Parallel()
	w := makeWorld(t, "SUPERVISOR_TEST_PROGRAM=")
	link := w.path("link")
	first := w.program + ".1"
	if err := os.Rename(w.program, first); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(first, link); err != nil {
		t.Fatal(err)
	}
	w.self = link
	w.start()
	_, before := w.agent(1)
	w.install()
	if err := os.Symlink(w.program, link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
	w.signal(syscall.SIGHUP)
	if _, after := w.agent(2); after == before {
		t.Error("the old program was started")
	}
}

// TestResultsWaitForAnAgent: what ends while there is none is not lost.
func TestResultsWaitForAnAgent(t *testing.T) {
	w := newWorld(t)
	pid, _ := w.agent(1)
	job := w.job("a")
	kill(t, pid, syscall.SIGSTOP) // deaf, so that nobody hears of the end
	w.write("go", "")
	eventually(t, "the job ends", func() bool { return !alive(job) })
	kill(t, pid, syscall.SIGKILL)
	w.agent(2)
	if r := w.results(1); len(r) != 1 || r[0].Outcome != proc.Succeeded {
		t.Errorf("results %+v", r)
	}
}

// TestSupervisorKilled: nothing outlives it, and the next one says so.
func TestSupervisorKilled(t *testing.T) {
	w := newWorld(t)
	agent, _ := w.agent(1)
	job := w.job("a")
	began := time.Now()
	w.kill()
	eventually(t, "agent and job are gone", func() bool { return !alive(agent) && !alive(job) })
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	w.start()
	if r := w.results(1)[0]; r.Outcome != proc.Killed || r.Reason != proc.ReasonRestarted {
		t.Errorf("result %+v", r)
	}
}

// TestStoppedAgent: an agent that hangs costs its jobs nothing until contact
// lapses; then they die, and contact that returns does not save them.
func TestStoppedAgent(t *testing.T) {
	const stopAfter = 700 * time.Millisecond
	w := newWorld(t, "SUPERVISOR_TEST_STOP_AFTER="+fmt.Sprint(stopAfter.Milliseconds()))
	agent, _ := w.agent(1)
	job := w.job("a")
	kill(t, agent, syscall.SIGSTOP)
	stopped := proc.Mono()
	eventually(t, "the job is ended", func() bool { return !alive(job) })
	kill(t, agent, syscall.SIGCONT)
	r := w.results(1)[0]
	lived := time.Duration(r.EndedMono - stopped)
	if r.Outcome != proc.Killed || r.Reason != proc.ReasonFenced || lived < stopAfter-100*time.Millisecond {
		t.Errorf("lived %s, result %+v", lived, r)
	}
	w.job("b") // under the contact that has returned
}

// TestFencedWithoutAnAgent: the lapse needs no agent to be noticed.
func TestFencedWithoutAnAgent(t *testing.T) {
	w := newWorld(t, "SUPERVISOR_TEST_STOP_AFTER=700")
	agent, _ := w.agent(1)
	job := w.job("a")
	w.write(fileNoContact, "")
	w.write(fileStatus, "77") // from now on there is none that works
	kill(t, agent, syscall.SIGKILL)
	eventually(t, "the job is ended", func() bool { return !alive(job) })
	if err := os.Remove(w.path(fileStatus)); err != nil {
		t.Fatal(err)
	}
	if r := w.results(1)[0]; r.Outcome != proc.Killed || r.Reason != proc.ReasonFenced {
		t.Errorf("result %+v", r)
	}
}

// TestStop: the agent ends its jobs and reports them, then all is gone.
func TestStop(t *testing.T) {
	w := newWorld(t)
	agent, _ := w.agent(1)
	job := w.job("a")
	w.signal(syscall.SIGTERM)
	if status := w.exit(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if alive(agent) || alive(job) {
		t.Error("a process is left")
	}
	if r := w.results(1); len(r) != 1 || r[0].Reason != proc.ReasonClosed {
		t.Errorf("results %+v", r)
	}
}

// TestStopIsBounded: an agent that does not follow is killed, at its limit or by
// a second signal, and the jobs end all the same.
func TestStopIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		limit   string
		signals int
	}{
		"limit":         {"200", 1},
		"second signal": {"3600000", 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "SUPERVISOR_TEST_STOP_LIMIT="+c.limit)
			agent, _ := w.agent(1)
			job := w.job("a")
			w.write(fileHang, "")
			kill(t, agent, syscall.SIGSTOP)
			for i := range c.signals {
				eventually(t, "the signal before is taken", func() bool {
					log, _ := os.ReadFile(w.path("log"))
					return i == 0 || strings.Contains(string(log), "stopping")
				})
				w.signal(syscall.SIGTERM)
			}
			if status := w.exit(); status != 0 {
				t.Errorf("exit status %d", status)
			}
			if alive(agent) || alive(job) {
				t.Error("a process is left")
			}
		})
	}
}

// TestRefusal: an agent that must not be started again is not.
func TestRefusal(t *testing.T) {
	for name, c := range map[string]struct {
		worked bool
		status int
	}{
		"never worked":       {false, 1},
		"usage":              {false, StatusUsage},
		"refused":            {false, StatusRefused},
		"usage afterwards":   {true, StatusUsage},
		"refused afterwards": {true, StatusRefused},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.agent(1)
			lives := 1
			if c.worked {
				w.write(fileStatus, fmt.Sprint(c.status))
				w.signal(syscall.SIGHUP)
				lives++
			} else {
				w.kill()
				w.write(fileStatus, fmt.Sprint(c.status))
				w.start()
				lives++
			}
			if status := w.exit(); status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			if n := len(w.lines(fileAgents)); n != lives {
				t.Errorf("%d agents, want %d", n, lives)
			}
		})
	}
}

// TestRefusalBesideJobs: settings that cannot be used cost the jobs nothing if
// somebody sees to them in time.
func TestRefusalBesideJobs(t *testing.T) {
	w := newWorld(t)
	w.agent(1)
	job := w.job("a")
	w.write(fileStatus, fmt.Sprint(StatusUsage))
	w.signal(syscall.SIGHUP)
	eventually(t, "it is refused", func() bool {
		log, _ := os.ReadFile(w.path("log"))
		return strings.Contains(string(log), "refuses to run")
	})
	if err := os.Remove(w.path(fileStatus)); err != nil {
		t.Fatal(err)
	}
	w.signal(syscall.SIGHUP)
	w.agent(3)
	if !alive(job) {
		t.Fatal("the job is gone")
	}
	w.write(fileStatus, fmt.Sprint(StatusUsage))
	w.signal(syscall.SIGHUP)
	w.write("go", "")
	if status := w.exit(); status != StatusUsage {
		t.Errorf("exit status %d", status)
	}
}

// TestCrashLoop: an agent that has worked and now only fails is tried again,
// ever more slowly, until it works.
func TestCrashLoop(t *testing.T) {
	w := newWorld(t)
	agent, _ := w.agent(1)
	w.write(fileStatus, "1")
	kill(t, agent, syscall.SIGKILL)
	eventually(t, "some tries", func() bool { return len(w.lines(fileAgents)) >= 4 })
	if err := os.Remove(w.path(fileStatus)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it works again", func() bool {
		all := w.lines(fileAgents)
		return all[len(all)-1] != "refused"
	})
	if n := len(w.lines(fileAgents)); n > 8 {
		t.Errorf("%d lives", n)
	}
}

// TestProgramIsMissing: an upgrade in two steps leaves a moment without a
// program; the next one is taken when it is there.
func TestProgramIsMissing(t *testing.T) {
	w := newWorld(t)
	w.agent(1)
	job := w.job("a")
	if err := os.Remove(w.program); err != nil {
		t.Fatal(err)
	}
	w.signal(syscall.SIGHUP)
	eventually(t, "it is missed", func() bool {
		log, _ := os.ReadFile(w.path("log"))
		return strings.Contains(string(log), "no agent; trying again")
	})
	w.install()
	w.agent(2)
	if !alive(job) {
		t.Error("the job is gone")
	}
}

// TestAgentsChildren: what a crashed agent leaves behind is ended and reaped.
func TestAgentsChildren(t *testing.T) {
	w := newWorld(t)
	first, _ := w.agent(1)
	w.write(fileWant, "")
	kill(t, first, syscall.SIGKILL)
	second, _ := w.agent(2)
	orphan, err := strconv.Atoi(w.lines(fileOrphan)[0])
	if err != nil {
		t.Fatal(err)
	}
	kill(t, second, syscall.SIGKILL)
	eventually(t, "it is gone, and no zombie", func() bool { return syscall.Kill(orphan, 0) == syscall.ESRCH })
	w.agent(3)
}
