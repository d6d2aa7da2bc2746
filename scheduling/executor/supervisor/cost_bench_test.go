package supervisor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// fileCosts is where an agent that a benchmark plays says what it has measured.
const fileCosts = "costs"

// costRuns is how many attempts a measurement has, costWarmup how many before it.
const (
	costRuns   = 2000
	costWarmup = 200
)

// BenchmarkCost is the processor time that the supervisor, the agent's side of the
// socket and the program itself take for one attempt of /bin/true, in processes of
// their own. The programs start one after another, or 32 at a time.
func BenchmarkCost(b *testing.B) {
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("at once=%d", callers), func(b *testing.B) {
			var sums [3]float64
			for b.Loop() {
				for i, ns := range measureCost(b, callers) {
					sums[i] += ns
				}
			}
			for i, what := range []string{"supervisor", "agent", "program"} {
				b.ReportMetric(sums[i]/float64(b.N)/1e3, what+"-us/attempt")
			}
		})
	}
}

func measureCost(b *testing.B, callers int) (ns [3]float64) {
	w := makeWorld(b, fmt.Sprintf("SUPERVISOR_TEST_CALLERS=%d", callers))
	w.start()
	defer w.kill()
	eventually(b, "the costs are measured", func() bool { return len(w.lines(fileCosts)) == 1 })
	if _, err := fmt.Sscan(w.lines(fileCosts)[0], &ns[0], &ns[1], &ns[2]); err != nil {
		b.Fatal(err)
	}
	w.signal(syscall.SIGTERM)
	w.exit()
	return ns
}

// playBusyAgent is an agent that has short programs started and writes what an
// attempt costs.
func playBusyAgent(dir string, client *Client, callers int) error {
	w := newWorkload(dir, client)
	if err := w.run(callers, costWarmup); err != nil {
		return err
	}
	supervisor, agent, program := cpuOf(os.Getppid()), cpuOf(os.Getpid()), endedOf(os.Getppid())
	if err := w.run(callers, costRuns); err != nil {
		return err
	}
	each := func(now, then int64) float64 { return float64(now-then) / costRuns }
	return appendLine(dir, fileCosts, fmt.Sprint(each(cpuOf(os.Getppid()), supervisor),
		each(cpuOf(os.Getpid()), agent), each(endedOf(os.Getppid()), program)))
}

// workload starts attempts as an agent does: under contact, with an expiry, an
// environment of the usual size, and many results forgotten together.
type workload struct {
	dir    string
	client *Client
	env    []string
	seq    int

	mu    sync.Mutex
	ended map[string]chan struct{}
	stale []string
}

func newWorkload(dir string, client *Client) *workload {
	w := &workload{dir: dir, client: client, ended: make(map[string]chan struct{})}
	for i := range 20 {
		w.env = append(w.env, fmt.Sprintf("VARIABLE_%d=some value of ordinary length %d", i, i))
	}
	client.Deliver(w.deliver)
	return w
}

func (w *workload) deliver(r proc.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.ended[r.ID])
	delete(w.ended, r.ID)
	w.stale = append(w.stale, r.ID)
}

func (w *workload) run(callers, n int) error {
	next := make(chan int, n)
	for range n {
		w.seq++
		next <- w.seq
	}
	close(next)
	errs := make(chan error, callers)
	for range callers {
		go func() {
			for i := range next {
				if err := w.one(i); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var first error
	for range callers {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

func (w *workload) one(i int) error {
	id := fmt.Sprintf("01JZZZZZZZZZZZZZZZZZZZZZZZ/task/0/%d", i)
	ended := make(chan struct{})
	w.mu.Lock()
	w.ended[id] = ended
	w.mu.Unlock()
	umask := 0o022
	now := proc.Mono()
	err := w.client.Start(context.Background(), proc.StartRequest{
		ID: id, Argv: []string{"/bin/true"}, Env: w.env, Umask: &umask, Grace: 10 * time.Second,
		Expiry: now + int64(3*time.Second), ContactBase: now,
		OutputDir: filepath.Join(w.dir, "output", strconv.Itoa(i)), OutputLimit: 10 << 20,
	})
	if err != nil {
		return err
	}
	<-ended
	return w.forget()
}

// forgottenTogether is how many results one call drops.
const forgottenTogether = 10

func (w *workload) forget() error {
	w.mu.Lock()
	ids := w.stale
	if len(ids) < forgottenTogether {
		w.mu.Unlock()
		return nil
	}
	w.stale = nil
	w.mu.Unlock()
	return w.client.Forget(context.Background(), ids...)
}

// cpuOf is the processor time of a process in nanoseconds, by the kernel's clock
// of it.
func cpuOf(pid int) int64 {
	var ts unix.Timespec
	const sched = 2
	if err := unix.ClockGettime(int32(^pid<<3|sched), &ts); err != nil {
		return 0
	}
	return ts.Nano()
}

// endedOf is the processor time of a process's children that have been reaped.
func endedOf(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	var user, system int64
	if len(fields) > 14 {
		user, _ = strconv.ParseInt(fields[13], 10, 64)
		system, _ = strconv.ParseInt(fields[14], 10, 64)
	}
	const tick = int64(10 * time.Millisecond)
	return (user + system) * tick
}
