package bench

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// program is what jobs run that do nothing, and what the floor beside them is
// taken with.
type program struct{ name, path string }

// staticSource ends at once. It has no library to load or to set up: what is left
// is the kernel's work of starting a program.
const staticSource = `
#if defined(__x86_64__)
__asm__(".globl _start\n_start: mov $60, %eax\n xor %edi, %edi\n syscall\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start: mov x8, #93\n mov x0, #0\n svc #0\n");
#else
#error "no program for this processor"
#endif
`

// programs are a trivial static program, built here, and /bin/true, which most
// systems link dynamically; the small form has the first alone.
func programs(t *testing.T) []program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trivial")
	cc := exec.Command("gcc", "-static", "-nostdlib", "-x", "c", "-o", path, "-")
	cc.Stdin = strings.NewReader(staticSource)
	if out, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("building a static program with gcc: %v\n%s", err, out)
	}
	list := []program{{"static program", path}, {"/bin/true", "/bin/true"}}
	return list[:size(2, 1)]
}

// floor is what starting a program and waiting for it comes to.
type floor struct {
	rate float64       // a second
	cpu  time.Duration // processor time of each, the program's own included
}

// floorOf starts a program from this one many times, with as many goroutines as
// helps.
func floorOf(t *testing.T, p program) floor {
	t.Helper()
	n, before := size(2000, 100), withChildren(t)
	work := make(chan struct{}, n)
	for range n {
		work <- struct{}{}
	}
	close(work)
	var wg sync.WaitGroup
	start := time.Now()
	for range 2 * runtime.NumCPU() {
		wg.Go(func() {
			for range work {
				if err := exec.Command(p.path).Run(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	return floor{float64(n) / took.Seconds(), (withChildren(t) - before) / time.Duration(n)}
}

// withChildren is the processor time of this process and of those that it has
// waited for.
func withChildren(t *testing.T) (total time.Duration) {
	t.Helper()
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var r unix.Rusage
		if err := unix.Getrusage(who, &r); err != nil {
			t.Fatal(err)
		}
		total += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return total
}

// syncRate is how many times a second a page at the end of a file can be written
// and synced, one after the other.
func syncRate(t *testing.T) float64 {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "synced"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, page := size(500, 20), make([]byte, 4096)
	start := time.Now()
	for range n {
		if _, err := f.Write(page); err != nil {
			t.Fatal(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			t.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

// roundTrip is how long a few bytes take over TCP on loopback, there and back.
func roundTrip(t *testing.T) time.Duration {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var echo sync.WaitGroup
	defer echo.Wait()
	echo.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if _, err := io.Copy(conn, conn); err != nil {
			t.Error(err)
		}
	})
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	n, message := size(5000, 100), make([]byte, 64)
	start := time.Now()
	for range n {
		if _, err := conn.Write(message); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, message); err != nil {
			t.Fatal(err)
		}
	}
	return time.Since(start) / time.Duration(n)
}

// TestMachine says what this machine is, and what it can do at all. Tests that
// start programs measure that anew, since it varies from minute to minute.
func TestMachine(t *testing.T) {
	lines := []string{describe(t), "it can:"}
	for _, p := range programs(t) {
		f := floorOf(t, p)
		lines = append(lines, fmt.Sprintf("  start a program and wait for it, %s: %.0f/s, %s of processor time each", p.name, f.rate, f.cpu.Round(time.Microsecond)))
	}
	lines = append(lines, fmt.Sprintf("  write 4 KiB and have them synced: %.0f/s", syncRate(t)))
	lines = append(lines, fmt.Sprintf("  go to and fro on loopback: in %s", roundTrip(t).Round(100*time.Nanosecond)))
	setMachine(strings.Join(lines, "\n"))
}

// describe names the machine.
func describe(t *testing.T) string {
	t.Helper()
	var name unix.Utsname
	var memory unix.Sysinfo_t
	var fs unix.Statfs_t
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	if err := unix.Sysinfo(&memory); err != nil {
		t.Fatal(err)
	}
	if err := unix.Statfs(t.TempDir(), &fs); err != nil {
		t.Fatal(err)
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d processors (%s), %.0f GiB, Linux %s, data on file system %#x, %s; load at the beginning %s",
		runtime.NumCPU(), model(t), float64(memory.Totalram)*float64(memory.Unit)/(1<<30), unix.ByteSliceToString(name.Release[:]),
		fs.Type, runtime.Version(), strings.TrimSpace(string(load)))
}

// model names the processor.
func model(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "an unnamed processor"
}
