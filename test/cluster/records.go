package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster/record"
)

// Records is the file to which the processes of jobs write when they began and
// ended. It lies outside of the data dirs; [Records.StandApart] makes sure.
type Records struct {
	t        testing.TB
	path     string
	unsynced bool
}

// NewRecords makes an empty file.
func NewRecords(t testing.TB) *Records {
	t.Helper()
	r := &Records{t: t, path: filepath.Join(t.TempDir(), "records")}
	if err := os.WriteFile(r.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// Command returns the command line of a process that writes its records, lives
// for the given time in between, and exits with code.
func (r *Records) Command(stay time.Duration, code int) []string {
	r.t.Helper()
	return []string{recorderBinary(r.t), r.path, stay.String(), strconv.Itoa(code)}
}

// Task returns a task that runs such a process.
func (r *Records) Task(name string, stay time.Duration, code int) fsm.Task {
	r.t.Helper()
	argv := r.Command(stay, code)
	task := fsm.Task{Name: name, Driver: fsm.DriverExec, Command: argv[0], Args: argv[1:]}
	if r.unsynced {
		task.Env = map[string]string{record.UnsyncedVariable: "1"}
	}
	return task
}

// Unsynced has the processes of tasks that are made from now on not wait for the
// disk, for measurements: see [record.UnsyncedVariable].
func (r *Records) Unsynced() *Records {
	r.unsynced = true
	return r
}

// StandApart fails the test if the file could be lost, filled up or hung with the
// data dir of a node: if it lies in one, or on a disk that a test has mounted for
// one.
func (r *Records) StandApart(c *Cluster) {
	r.t.Helper()
	for _, n := range c.Nodes {
		if err := apartFrom(r.path, n.Dir, os.TempDir()); err != nil {
			r.t.Fatal(err)
		}
	}
}

// apartFrom is nil unless a file lies in a folder, or shares a disk with it that is
// not the one of all temporary files.
func apartFrom(file, dir, temp string) error {
	rel, err := filepath.Rel(dir, file)
	if err != nil {
		return err
	}
	if filepath.IsLocal(rel) {
		return fmt.Errorf("the records %s lie in the data dir %s", file, dir)
	}
	var of [3]unix.Stat_t
	for i, path := range []string{file, dir, temp} {
		if err := unix.Stat(path, &of[i]); err != nil {
			return fmt.Errorf("looking at %s: %w", path, err)
		}
	}
	if of[0].Dev == of[1].Dev && of[1].Dev != of[2].Dev {
		return fmt.Errorf("the records %s lie on the disk of the data dir %s", file, dir)
	}
	return nil
}

// Watched returns a task whose process gives signs of life, so that the record
// tells how long one that was killed has lived. It fails in its first attempts, as
// many as fails says.
func (r *Records) Watched(name string, stay time.Duration, fails int) fsm.Task {
	r.t.Helper()
	task := r.Task(name, stay, 0)
	if task.Env == nil {
		task.Env = map[string]string{}
	}
	task.Env[record.AliveVariable] = "1"
	if fails > 0 {
		task.Args = append(r.Command(stay, 1)[1:], strconv.Itoa(fails))
	}
	return task
}

// Read returns what has been written so far.
func (r *Records) Read() []record.Record {
	r.t.Helper()
	data, err := os.ReadFile(r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	var all []record.Record
	for text := range strings.Lines(string(data)) {
		if !strings.HasSuffix(text, "\n") {
			break // a line that is being written
		}
		line, err := record.Parse(strings.TrimSuffix(text, "\n"))
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, line)
	}
	return all
}

// Begins returns the starts of a job's processes so far.
func (r *Records) Begins(job string) []record.Record {
	r.t.Helper()
	var begins []record.Record
	for _, line := range r.Read() {
		if line.Event == record.Begin && line.Job == job {
			begins = append(begins, line)
		}
	}
	return begins
}
