// Package jobfile loads job files for the commands that take them, and shows
// what is wrong with them.
package jobfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/hcl/v2"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/jobspec"
	"github.com/rota-scheduler/rota/transport/api"
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

// File is what job files hold.
type File struct {
	Jobs    []fsm.JobSpec
	Pools   []fsm.PutPool
	content jobspec.Content
	sources []jobspec.Source
	stderr  io.Writer
}

// Body is the file as the API takes it.
func (f *File) Body() api.PutJobs { return api.PutJobs{Jobs: f.Jobs, Pools: f.Pools} }

// UnknownPools returns the pools that tasks name and that stand in none of the
// files.
func (f *File) UnknownPools() []string { return f.content.UnknownPools() }

// CheckPools checks those against the pools of the cluster, as LoadWith does what
// it can check by itself.
func (f *File) CheckPools(pools []fsm.Pool) error {
	limits := make(map[string]int, len(pools))
	for i := range pools {
		limits[pools[i].Name] = pools[i].Limit
	}
	return f.report(f.content.CheckPools(func(name string) (int, bool) {
		limit, known := limits[name]
		return limit, known
	}))
}

// report writes what is wrong to stderr, with the lines in question.
func (f *File) report(diags hcl.Diagnostics) error {
	if len(diags) > 0 {
		screen := render.ScreenOf(f.stderr)
		if err := jobspec.Write(f.stderr, diags, f.sources, uint(screen.Width), screen.Color); err != nil {
			return err
		}
	}
	if diags.HasErrors() {
		return Bad(fmt.Errorf("the job files have %s; nothing was changed", Count(len(diags.Errs()), "error")))
	}
	return nil
}

// Load is LoadWith for a command without flags for variables.
func Load(paths []string, namespace string, stdin io.Reader, stderr io.Writer) (*File, error) {
	return LoadWith(&Variables{}, paths, namespace, stdin, stderr)
}

// LoadWith reads the files and returns what they hold. What is wrong with them it
// writes to stderr, with the lines in question; its error is then an ErrBad that
// says how many problems there are. The environment gives values to variables,
// too.
func LoadWith(vars *Variables, paths []string, namespace string, stdin io.Reader, stderr io.Writer) (*File, error) {
	sources, err := Read(paths, stdin)
	if err != nil {
		return nil, err
	}
	inputs, err := vars.inputs(os.Environ())
	if err != nil {
		return nil, err
	}
	content, diags := jobspec.Decode(sources, jobspec.Options{Namespace: namespace, Inputs: inputs})
	for _, input := range inputs {
		sources = append(sources, input.Source)
	}
	file := &File{content.Jobs, content.Pools, content, sources, stderr}
	if err := file.report(diags); err != nil {
		return nil, err
	}
	if len(file.Jobs)+len(file.Pools) == 0 {
		return nil, Bad(errors.New("the job files hold no job; a job begins with: job \"name\" {"))
	}
	return file, nil
}

// Count writes "1 job", "2 jobs".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
