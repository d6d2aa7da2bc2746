package chaos

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-scheduler/rota/test/cluster"
)

const (
	smallDisk = "size=16m"
	fullFor   = 10 * time.Second
	hungFor   = 10 * time.Second
	// diskSize is that of the disk that is hung.
	diskSize = 64 << 20
)

// smallDisks mounts n file systems of 16 MiB in memory.
func smallDisks(t *testing.T, n int) []string {
	t.Helper()
	var dirs []string
	for range n {
		dir := t.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, smallDisk); err != nil {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Cleanup(func() { unmount(t, dir) })
		dirs = append(dirs, dir)
	}
	return dirs
}

// unmount waits for the last process to let go.
func unmount(t *testing.T, dir string) {
	err := unix.EBUSY
	for end := time.Now().Add(patience); errors.Is(err, unix.EBUSY) && time.Now().Before(end); {
		if err, _ = unix.Unmount(dir, 0).(unix.Errno); err == 0 {
			return
		}
		<-time.After(askEvery)
	}
	t.Errorf("unmounting %s: %v", dir, err)
}

const ballast = "ballast"

// fill takes all the room that is left on a node's disk.
func fill(t *testing.T, n *cluster.Node) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(n.Dir, ballast), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

// makeRoom ends a fill.
func makeRoom(t *testing.T, n *cluster.Node) {
	t.Helper()
	if err := os.Remove(filepath.Join(n.Dir, ballast)); err != nil {
		t.Error(err)
	}
}

// fullDisk: the disks of some nodes are full for a while.
func fullDisk(t *testing.T, r *rand.Rand, what string, choose func(w *world) []*cluster.Node) {
	w := newWorld(t, r, cluster.Options{Dirs: smallDisks(t, 3)})
	victims := choose(w)
	w.trouble(what, fullFor, func() {
		for _, n := range victims {
			fill(t, n)
		}
	}, func() {
		for _, n := range victims {
			makeRoom(t, n)
		}
	})
	for _, n := range victims {
		w.saidWithout(n, "no space left")
	}
	w.judge()
}

func fullDiskLeader(t *testing.T, r *rand.Rand) {
	fullDisk(t, r, "the leader's disk is full", func(w *world) []*cluster.Node { return []*cluster.Node{w.c.Leader()} })
}

func fullDiskFollower(t *testing.T, r *rand.Rand) {
	fullDisk(t, r, "a follower's disk is full", func(w *world) []*cluster.Node { return []*cluster.Node{w.someFollower()} })
}

func fullDiskMajority(t *testing.T, r *rand.Rand) {
	fullDisk(t, r, "two disks of three are full", func(w *world) []*cluster.Node {
		return []*cluster.Node{w.c.Leader(), w.someFollower()}
	})
}

// saidWithout: a node's log names what is wrong, and holds no stack trace.
func (w *world) saidWithout(n *cluster.Node, text string) {
	w.t.Helper()
	log := n.Log()
	if !strings.Contains(log, text) {
		w.t.Errorf("the log of %s does not say %q", n.Name, text)
	}
	for _, trace := range []string{"panic:", "goroutine ", "fatal error:"} {
		if i := strings.Index(log, trace); i >= 0 {
			w.t.Errorf("the log of %s holds a trace: %.2000s", n.Name, log[i:])
		}
	}
}

// aDisk is a file system of its own on a loop device, or "" where there is none.
func aDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	disk := filepath.Join(dir, "disk")
	f, err := os.Create(image)
	if err == nil {
		err = errors.Join(f.Truncate(diskSize), f.Close(), os.Mkdir(disk, 0o700))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"mkfs.ext4", "-q", image}, {"mount", "-o", "loop", image, disk}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("left out, this machine cannot mount a disk of a file: %v: %v: %s", args, err, out)
		}
	}
	t.Cleanup(func() { unmount(t, disk) })
	return disk
}

// The requests of the ioctl that fsfreeze makes.
const (
	fiFreeze = 0xC0045877
	fiThaw   = 0xC0045878
)

// freezeDisk has every write and every fsync wait until thawDisk. A thawed disk
// may be thawed again.
func freezeDisk(t *testing.T, disk string) { disks(t, disk, fiFreeze) }
func thawDisk(t *testing.T, disk string)   { disks(t, disk, fiThaw) }

func disks(t *testing.T, disk string, request uint) {
	t.Helper()
	f, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetInt(int(f.Fd()), request, 0); err != nil && !(request == fiThaw && errors.Is(err, unix.EINVAL)) {
		t.Fatalf("freezing or thawing %s: %v", disk, err)
	}
}

// hungDisk: the leader's disk answers nothing for a while; then a follower's.
func hungDisk(t *testing.T, r *rand.Rand) {
	disk := aDisk(t)
	w := newWorld(t, r, cluster.Options{Dirs: []string{disk}})
	t.Cleanup(func() { thawDisk(t, disk) })
	n := w.c.Nodes[0]
	w.lead(n)
	w.trouble("the disk of leader "+n.Name+" hangs", hungFor, func() {
		since := time.Now()
		freezeDisk(t, disk)
		w.newLeader(n, since)
	}, func() { thawDisk(t, disk) })
	w.saidWithout(n, "raft store write hangs")
	if hurried() {
		w.judge()
		return
	}
	w.follow(n)
	w.trouble("the disk of follower "+n.Name+" hangs", hungFor, func() { freezeDisk(t, disk) }, func() { thawDisk(t, disk) })
	w.judge()
}

// lead moves the leadership until the node has it.
func (w *world) lead(n *cluster.Node) {
	w.t.Helper()
	w.moveUntil(n.Name+" leads", func(leader *cluster.Node) bool { return leader == n })
}

// follow moves the leadership until the node does not have it.
func (w *world) follow(n *cluster.Node) {
	w.t.Helper()
	w.moveUntil(n.Name+" follows", func(leader *cluster.Node) bool { return leader != n })
}

func (w *world) moveUntil(what string, ok func(leader *cluster.Node) bool) {
	w.t.Helper()
	cluster.Eventually(w.t, patience, what, func() error {
		leader := w.c.Leader()
		if ok(leader) {
			return nil
		}
		_, err := leader.Client().TransferLeader(w.t.Context())
		return errors.Join(fmt.Errorf("%s leads", leader.Name), err)
	})
}

// wiped: a follower, then the leader, loses everything on its disk.
func wiped(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{})
	for _, n := range []*cluster.Node{w.someFollower(), w.c.Leader()} {
		w.trouble(n.Name+" is killed and loses its data dir", time.Second, func() { killTree(n) }, func() {
			n.Wipe()
			n.Start()
		})
		w.c.WaitReady() // it votes again
	}
	w.judge()
}

// damaged: the raft store of a follower is cut short, or bits of it are turned.
// The node refuses with an error that says what to do, once, and joins as a new
// one when that is done.
func damaged(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{})
	for _, tc := range []struct {
		what  string
		spoil func(t *testing.T, r *rand.Rand, path string)
	}{{"cut short", cutShort}, {"full of turned bits", turnBits}} {
		n := w.someFollower()
		w.trouble("the raft store of "+n.Name+" is "+tc.what, time.Second, func() {
			n.Kill()
			tc.spoil(t, r, filepath.Join(n.Dir, "raft", "raft.db"))
			n.Start()
		}, func() { w.refusesOrServes(n) })
		w.c.WaitReady()
	}
	w.judge()
}

// refusesOrServes: the damaged node ended by itself, saying why, and is replaced;
// or the damage did no harm.
func (w *world) refusesOrServes(n *cluster.Node) {
	w.t.Helper()
	if err := n.Wait(5 * time.Second); err != nil {
		w.t.Logf("  %s goes on: the damage hit nothing that counts, or was mended", n.Name)
		return
	}
	w.t.Logf("  %s ended: %s", n.Name, lastLine(n.Log()))
	w.saidWithout(n, "raft data is corrupt")
	if code := n.ExitCode(); code != 3 {
		w.t.Errorf("%s ended with status %d, want 3", n.Name, code)
	}
	n.Wipe()
	n.Start()
}

func lastLine(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if !strings.HasPrefix(lines[i], "---") {
			return lines[i]
		}
	}
	return ""
}

func cutShort(t *testing.T, r *rand.Rand, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, 1+r.Int64N(info.Size()-1))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// turnBits turns one bit in each of two hundred places.
func turnBits(t *testing.T, r *rand.Rand, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	for range 200 {
		at := r.Int64N(size)
		var b [1]byte
		_, readErr := f.ReadAt(b[:], at)
		b[0] ^= 1 << r.IntN(8)
		_, writeErr := f.WriteAt(b[:], at)
		err = errors.Join(err, readErr, writeErr)
	}
	if err != nil {
		t.Fatal(err)
	}
}
