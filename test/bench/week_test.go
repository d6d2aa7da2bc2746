package bench

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestWeek feeds the real state, behind the real log and its snapshots on disk,
// with a hundred runs a second in simulated time, as fast as it goes, and looks
// whether anything grows: once every history is full, memory, rows, snapshots and
// files must stay as they are. ROTA_WEEK says how much time to simulate, such as
// 168h, of which it does what fits into the test's own time limit; without it there
// are fewer jobs with short histories, and two minutes do.
func TestWeek(t *testing.T) {
	length, short := 2*time.Minute, true
	if env := os.Getenv("ROTA_WEEK"); env != "" {
		var err error
		if length, err = time.ParseDuration(env); err != nil || length < time.Hour {
			t.Fatalf("ROTA_WEEK: %q: want a duration of an hour or more", env)
		}
		short = false
	}
	w := newWeek(t, short)
	every := min(length/24, 30*time.Minute)
	var samples []sample
	begun, cpu := time.Now(), cpuTime(t)
	for len(samples) < int(length/every) && !soon(t, time.Minute+2*time.Since(begun)/time.Duration(len(samples)+1)) {
		w.pass(every)
		samples = append(samples, w.sample())
		if !short {
			t.Logf("%s: %s", w.elapsed(), samples[len(samples)-1])
		}
	}
	took, used := time.Since(begun), cpuTime(t)-cpu
	t.Logf("%s simulated, %d attempts in %s: %s of processor time each; %d of %d answers were refusals",
		w.elapsed(), w.ended, took.Round(time.Second), (used / time.Duration(w.ended)).Round(time.Microsecond), w.refused, w.answers)
	t.Logf("after a third: %s", samples[len(samples)/3])
	t.Logf("at the end:    %s", samples[len(samples)-1])
	flat(t, samples[len(samples)/3:])
	w.audit()
}

// soon says whether the test's time limit comes within so long.
func soon(t *testing.T, d time.Duration) bool {
	limit, ok := t.Deadline()
	return ok && time.Until(limit) < d
}

// sample is what the node holds at one time.
type sample struct {
	heap, objects       int // live, after a collection
	snapshot, disk      int // bytes of the newest snapshot, and of all files
	jobs, versions      int
	fires, runs, shards int
}

func (s sample) String() string {
	return fmt.Sprintf("heap %.1f MiB in %d objects, snapshot %.1f MiB, disk %.1f MiB; %d jobs, %d versions, %d fires, %d runs, %d shards",
		mib(s.heap), s.objects, mib(s.snapshot), mib(s.disk), s.jobs, s.versions, s.fires, s.runs, s.shards)
}

func mib(bytes int) float64 { return float64(bytes) / (1 << 20) }

func (w *week) sample() (s sample) {
	v := w.store.Read()
	for _, key := range w.keys() {
		if v.Job(key) == nil {
			continue
		}
		s.jobs++
		for range v.Versions(key) {
			s.versions++
		}
		for range v.Fires(key) {
			s.fires++
		}
	}
	for r := range v.AllRuns("") {
		s.runs++
		for range v.Shards(r.ID) {
			s.shards++
		}
	}
	s.snapshot, s.disk = w.files()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.heap, s.objects = int(m.HeapAlloc), int(m.HeapObjects)
	return s
}

// files returns the bytes of the newest snapshot and of everything on the disk. A
// snapshot may be made or dropped meanwhile.
func (w *week) files() (snapshot, all int) {
	newest := ""
	err := filepath.WalkDir(w.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return nil
		}
		all += int(info.Size())
		if name := filepath.Dir(path); e.Name() == "state.bin" && !strings.HasSuffix(name, ".tmp") && name > newest {
			newest, snapshot = name, int(info.Size())
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return snapshot, all
}

// flat compares the later half of the samples with the earlier. Rows swing with the
// minute: the most of them may not grow. Bytes swing with the log since the last
// snapshot too, and with one that is being made: of them it is the least.
func flat(t *testing.T, samples []sample) {
	t.Helper()
	half := len(samples) / 2
	most, least := slices.Max[[]int], slices.Min[[]int]
	for _, of := range []struct {
		name  string
		value func(sample) int
		pick  func([]int) int
		slack int // where there is so little that a tenth says nothing
	}{
		{"bytes of the heap", func(s sample) int { return s.heap }, least, 1 << 18},
		{"objects of the heap", func(s sample) int { return s.objects }, least, 2000},
		{"bytes of a snapshot", func(s sample) int { return s.snapshot }, least, 1 << 18},
		{"bytes on the disk", func(s sample) int { return s.disk }, least, 4 << 20},
		{"versions", func(s sample) int { return s.versions }, most, 0},
		{"fires", func(s sample) int { return s.fires }, most, 0},
		{"runs", func(s sample) int { return s.runs }, most, 0},
		{"shards", func(s sample) int { return s.shards }, most, 0},
	} {
		early, late := of.pick(values(samples[:half], of.value)), of.pick(values(samples[half:], of.value))
		if late > early+early/10+of.slack {
			t.Errorf("%s grew from %d to %d", of.name, early, late)
		}
	}
}

func values(samples []sample, of func(sample) int) (list []int) {
	for _, s := range samples {
		list = append(list, of(s))
	}
	return list
}

// cpuTime is the processor time of this process.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
