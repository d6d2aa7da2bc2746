package agent

import (
	"runtime"
	"sync"
	"testing"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling"
)

func TestAutoCapacity(t *testing.T) {
	const gib = 1 << 30
	for _, tt := range []struct {
		cores  int
		memory int64
		want   int
	}{
		{4, 8 * gib, 100},  // the default
		{4, 64 * gib, 100}, // cores bound it
		{64, 8 * gib, 100}, // memory does
		{1, 0, 25},         // memory is not known
		{1, gib / 64, 1},
		{1 << 40, 0, fsm.MaxWeight},
	} {
		if got := autoCapacity(tt.cores, tt.memory); got != tt.want {
			t.Errorf("%d cores, %d bytes: %d, want %d", tt.cores, tt.memory, got, tt.want)
		}
	}
}

func TestMeasure(t *testing.T) {
	l := measure()
	if l.Cores != runtime.NumCPU() || l.Average < 0 || l.MemoryAvailable > l.MemoryTotal {
		t.Errorf("%+v", l)
	}
	if runtime.GOOS == "linux" && (l.MemoryTotal < 1<<20 || l.MemoryAvailable == 0) {
		t.Errorf("no memory: %+v", l)
	}
	m := meter{at: 1, load: scheduling.Load{Cores: -1}}
	if m.read(int64(measureEvery)).Cores != -1 || m.read(1+int64(measureEvery)).Cores != runtime.NumCPU() {
		t.Error("measured too often, or not again")
	}
}

func TestLoadsAreForgotten(t *testing.T) {
	var l loads
	l.note("n1", scheduling.Load{Average: 1.5}, 0)
	if got, ok := l.of("n1", int64(forgetLoad)-1); !ok || got.Average != 1.5 || len(l.all(int64(forgetLoad)-1)) != 1 {
		t.Errorf("%+v %v", got, ok)
	}
	if _, ok := l.of("n1", int64(forgetLoad)); ok || len(l.all(int64(forgetLoad))) != 0 || len(l.nodes) != 0 {
		t.Error("it still counts")
	}
}

func TestCapacitySettings(t *testing.T) {
	total, _ := memory()
	auto := autoCapacity(runtime.NumCPU(), total)
	for text, want := range map[string]int{``: fsm.DefaultCapacity, `capacity = 7`: 7, `capacity = "auto"`: auto} {
		read, err := load(t, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		c := valid()
		c.Capacity = read.Capacity
		if err := c.complete(); err != nil || c.Capacity != want {
			t.Errorf("%s: %d, %v; want %d", text, c.Capacity, err, want)
		}
	}
	var n int
	if err := (capacityFlag{&n}).Set("auto"); err != nil || n != AutoCapacity {
		t.Errorf("--capacity auto: %d, %v", n, err)
	}
	if c, err := load(t, `capacity = "auto"`, "--capacity", "9"); err != nil || c.Capacity != 0 { // the flag holds it
		t.Errorf("the file won over the flag: %d, %v", c.Capacity, err)
	}
	for _, bad := range []string{`capacity = "much"`, `capacity = 0`, `capacity = 1.5`, `capacity = true`} {
		if _, err := load(t, bad); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// TestMeterIsShared, under the race detector: a stop sends a heartbeat of its own
// beside those that go on.
func TestMeterIsShared(t *testing.T) {
	var m meter
	var readers sync.WaitGroup
	for i := range int64(4) {
		readers.Go(func() {
			if l := m.read(i * int64(measureEvery)); l.Cores == 0 {
				t.Error("nothing was measured")
			}
		})
	}
	readers.Wait()
}
