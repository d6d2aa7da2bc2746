package proc

import (
	"fmt"
	"os/exec"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkFloor is what the machine does with os/exec alone.
func BenchmarkFloor(b *testing.B) {
	parallel(b, func(int) error { return exec.Command("/bin/true").Run() })
}

// BenchmarkStart is the whole life of an attempt: started, ended, told,
// forgotten.
func BenchmarkStart(b *testing.B) {
	var ended sync.Map
	h := newHarness(b, Options{OnEnd: func(r Result) {
		if done, ok := ended.LoadAndDelete(r.ID); ok {
			close(done.(chan struct{}))
		}
	}})
	parallel(b, func(i int) error {
		id := fmt.Sprint(i)
		done := make(chan struct{})
		ended.Store(id, done)
		if err := h.Start(b.Context(), StartRequest{ID: id, Argv: []string{"/bin/true"}}); err != nil {
			return err
		}
		<-done
		return h.Forget(b.Context(), id)
	})
}

const benchClients = 4

func parallel(b *testing.B, one func(i int) error) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range benchClients {
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

func BenchmarkMono(b *testing.B) {
	for b.Loop() {
		Mono()
	}
}

func BenchmarkClockGettime(b *testing.B) {
	var ts unix.Timespec
	for b.Loop() {
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
			b.Fatal(err)
		}
	}
}
