package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// Programs that print as fast as they can must not delay the others: small jobs
// are started beside four of them, 50 a second, and the time from when each one
// was due to when its program runs is what counts. ROTA_TEST_LOAD_SECONDS says
// for how long, on a machine that does nothing else, and has it judged; without it,
// other work would be judged as well, so it is only told.
func TestChattyNeighbours(t *testing.T) {
	seconds, quiet := 2, false
	if s := os.Getenv("ROTA_TEST_LOAD_SECONDS"); s != "" {
		var err error
		if seconds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
		quiet = true
	}
	h := newHarness(t, Options{})
	out := t.TempDir()
	var idle time.Duration // p50 without load
	for _, chatty := range []int{0, 4} {
		for i := range chatty {
			h.start(StartRequest{
				ID: fmt.Sprint("chatty-", i), Argv: []string{"/usr/bin/yes"}, OutputDir: filepath.Join(out, fmt.Sprint(i)),
				Grace: time.Millisecond,
			})
		}
		before := cpuTime(t, os.Getpid())
		late := startOnTime(t, h, fmt.Sprint("small-", chatty), 50*seconds, 20*time.Millisecond)
		p50, p99 := late[len(late)/2], late[len(late)*99/100]
		t.Logf("%d programs print: started late by p50 %s, p99 %s, most %s; this process used %.2f cores",
			chatty, p50, p99, late[len(late)-1], (cpuTime(t, os.Getpid())-before).Seconds()/float64(seconds))
		if quiet && p99 >= 100*time.Millisecond {
			t.Errorf("p99 lateness %s with %d programs that print, want less than 100ms", p99, chatty)
		}
		if chatty == 0 {
			idle = p50
		} else if quiet && p50 >= idle+100*time.Millisecond {
			t.Errorf("the programs that print make the others late by %s, without them it is %s", p50, idle)
		}
		for i := range chatty {
			if err := h.Kill(ctx, fmt.Sprint("chatty-", i), ReasonCancelled); err != nil {
				t.Fatal(err)
			}
		}
		for range chatty {
			r := h.result()
			if r.OutputBytes < DefaultOutputLimit {
				t.Errorf("%s printed only %d bytes: no load at all", r.ID, r.OutputBytes)
			}
			t.Logf("%s printed %d MiB/s", r.ID, r.OutputBytes>>20/int64(seconds))
		}
	}
}

// startOnTime starts n attempts, one each interval, and returns how late their
// programs ran, in order.
func startOnTime(t *testing.T, h *harness, name string, n int, interval time.Duration) (late []time.Duration) {
	t.Helper()
	due := make(map[string]int64)
	begin := Mono()
	for i := range n {
		id := fmt.Sprint(name, "-", i)
		due[id] = begin + int64(i+1)*int64(interval)
		<-time.After(time.Duration(due[id] - Mono()))
		go func() {
			if err := h.Start(ctx, StartRequest{ID: id, Argv: []string{"/bin/true"}}); err != nil {
				t.Error(err)
			}
		}()
	}
	for range n {
		r := h.result()
		late = append(late, time.Duration(r.StartedMono-due[r.ID]))
	}
	slices.Sort(late)
	return late
}
