package supervisor

import (
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

const benchCallers = 8

// BenchmarkFloor is what the machine does with os/exec alone.
func BenchmarkFloor(b *testing.B) {
	parallel(b, func(int) error { return exec.Command("/bin/true").Run() })
}

// BenchmarkSocket is the whole life of an attempt through the socket: started,
// ended, told, forgotten. The request has an environment of the usual size.
func BenchmarkSocket(b *testing.B) {
	p := newPair(b, time.Hour)
	lives(b, p, func(f func(proc.Result)) { p.Deliver(f) })
}

// BenchmarkDirect is the same without a socket.
func BenchmarkDirect(b *testing.B) {
	p := newPair(b, time.Hour)
	p.endSession()
	m, err := proc.New(b.Context(), proc.Options{Dir: b.TempDir(), OnEnd: func(r proc.Result) { p.deliver(r) }})
	if err != nil {
		b.Fatal(err)
	}
	lives(b, m, func(f func(proc.Result)) { p.deliver = f })
	if err := m.Close(b.Context()); err != nil {
		b.Error(err)
	}
}

func lives(b *testing.B, p proc.Processes, deliver func(func(proc.Result))) {
	var ended sync.Map
	deliver(func(r proc.Result) {
		if done, ok := ended.LoadAndDelete(r.ID); ok {
			close(done.(chan struct{}))
		}
	})
	var env []string
	for i := range 25 {
		env = append(env, fmt.Sprintf("VARIABLE_%d=some value of ordinary length %d", i, i))
	}
	parallel(b, func(i int) error {
		id := fmt.Sprint(i)
		done := make(chan struct{})
		ended.Store(id, done)
		if err := p.Start(b.Context(), proc.StartRequest{ID: id, Argv: []string{"/bin/true"}, Env: env}); err != nil {
			return err
		}
		<-done
		return p.Forget(b.Context(), id)
	})
}

func parallel(b *testing.B, one func(i int) error) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range benchCallers {
		wg.Go(func() {
			for i := range next {
				if err := one(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.ResetTimer()
	for i := range b.N {
		next <- i
	}
	close(next)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "starts/s")
}

// BenchmarkContact is one round of the socket.
func BenchmarkContact(b *testing.B) {
	p := newPair(b, time.Hour)
	for b.Loop() {
		if err := p.Contact(b.Context(), 1); err != nil {
			b.Fatal(err)
		}
	}
}
