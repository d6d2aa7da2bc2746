package cluster

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster/record"
)

// Records is the file to which the processes of jobs write when they began and
// ended. It lies outside of the data dirs.
type Records struct {
	t    testing.TB
	path string
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
	return fsm.Task{Name: name, Driver: fsm.DriverExec, Command: argv[0], Args: argv[1:]}
}

// Watched returns a task whose process gives signs of life, so that the record
// tells how long one that was killed has lived. It fails in its first attempts, as
// many as fails says.
func (r *Records) Watched(name string, stay time.Duration, fails int) fsm.Task {
	r.t.Helper()
	task := r.Task(name, stay, 0)
	task.Env = map[string]string{record.AliveVariable: "1"}
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
