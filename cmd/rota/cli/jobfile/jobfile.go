// Package jobfile loads job files for the commands that take them, and shows
// what is wrong with them.
package jobfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/jobspec"
)

// ErrBad: a job file cannot be read or is not right.
var ErrBad = errors.New("bad job file")

// badFile is an ErrBad with its own text.
type badFile struct{ err error }

func (e *badFile) Error() string { return e.err.Error() }

func (e *badFile) Unwrap() []error { return []error{ErrBad, e.err} }

// Bad makes err an ErrBad without changing its text.
func Bad(err error) error { return &badFile{err} }

// Read reads the files, of which "-" is stdin and a folder its *.hcl files. Its
// errors are ErrBad.
func Read(paths []string, stdin io.Reader) ([]jobspec.Source, error) {
	sources, err := jobspec.ReadFiles(paths, stdin)
	if err != nil {
		return nil, Bad(err)
	}
	return sources, nil
}

// Load is LoadWith for a command without flags for variables.
func Load(paths []string, namespace string, stdin io.Reader, stderr io.Writer) ([]fsm.JobSpec, error) {
	return LoadWith(&Variables{}, paths, namespace, stdin, stderr)
}

// LoadWith reads the files and returns their jobs. What is wrong with them it
// writes to stderr, with the lines in question; its error is then an ErrBad that
// says how many problems there are. The environment gives values to variables,
// too.
func LoadWith(vars *Variables, paths []string, namespace string, stdin io.Reader, stderr io.Writer) ([]fsm.JobSpec, error) {
	sources, err := Read(paths, stdin)
	if err != nil {
		return nil, err
	}
	inputs, err := vars.inputs(os.Environ())
	if err != nil {
		return nil, err
	}
	jobs, diags := jobspec.Decode(sources, jobspec.Options{Namespace: namespace, Inputs: inputs})
	if len(diags) > 0 {
		for _, input := range inputs {
			sources = append(sources, input.Source)
		}
		screen := render.ScreenOf(stderr)
		if err := jobspec.Write(stderr, diags, sources, uint(screen.Width), screen.Color); err != nil {
			return nil, err
		}
	}
	if diags.HasErrors() {
		return nil, Bad(fmt.Errorf("the job files have %s; nothing was changed", Count(len(diags.Errs()), "error")))
	}
	if len(jobs) == 0 {
		return nil, Bad(errors.New("the job files hold no job; a job begins with: job \"name\" {"))
	}
	return jobs, nil
}

// Count writes "1 job", "2 jobs".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
