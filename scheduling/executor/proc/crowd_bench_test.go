package proc

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-scheduler/rota/scheduling/executor/proc/cgroup"
)

// crowd is how many attempts end at one time.
const crowd = 400

// BenchmarkCrowd is many attempts that end at once, each with a daemon that it has
// left behind: the processor time of this process, and of the kernel for it, is
// what an attempt costs.
func BenchmarkCrowd(b *testing.B) {
	for _, groups := range []string{"cgroups", "no cgroups"} {
		for _, end := range []string{"by themselves", "killed", "Close"} {
			b.Run(groups+"/"+end, func(b *testing.B) {
				for b.Loop() {
					benchCrowd(b, groups == "cgroups", end)
				}
			})
		}
	}
}

func benchCrowd(b *testing.B, groups bool, end string) {
	b.StopTimer()
	h := newHarness(b, Options{Dir: b.TempDir()})
	if !groups {
		h.groups.Close()
		h.groups = cgroup.None(slog.New(slog.DiscardHandler))
	}
	gate := b.TempDir() + "/gate"
	if err := unix.Mkfifo(gate, 0o600); err != nil {
		b.Fatal(err)
	}
	for i := range crowd {
		req := shell(fmt.Sprint(i), "(setsid sleep 300 &) ; echo up; read x < "+gate)
		req.Grace = 10 * time.Second
		h.start(req)
	}
	for i := range crowd {
		eventually(b, "it is up", func() bool { return tailOf(h, fmt.Sprint(i)) == "up\n" })
	}
	before := cpuUsed(b)
	b.StartTimer()
	switch end {
	case "by themselves":
		fd, err := unix.Open(gate, unix.O_RDWR, 0)
		if err != nil {
			b.Fatal(err)
		}
		defer unix.Close(fd)
		if _, err := unix.Write(fd, make([]byte, crowd)); err != nil {
			b.Fatal(err)
		}
		unix.Close(fd)
	case "killed":
		for i := range crowd {
			if err := h.Kill(ctx, fmt.Sprint(i), ReasonCancelled); err != nil {
				b.Fatal(err)
			}
		}
	case "Close":
		if err := h.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	for range crowd {
		select {
		case <-h.results:
		case <-time.After(5 * time.Minute):
			b.Fatal("no result")
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(cpuUsed(b)-before)/crowd/1e3, "cpu-us/attempt")
	h.stop()
	b.StartTimer()
}

// cpuUsed is the processor time of this process in nanoseconds.
func cpuUsed(b *testing.B) int64 {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
