package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Schedule is what happens to a cluster, and when. Written out, one step a line,
// it can be run again.
type Schedule struct {
	// Name tells where it comes from: a seed or a file.
	Name  string
	Steps []Step
}

// Step is one thing that happens, At after the cluster is ready.
type Step struct {
	At   time.Duration
	Verb string
	Args []string
}

// String writes the step as Parse reads it.
func (s Step) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", s.At, s.Verb, strings.Join(s.Args, " ")))
}

// String writes the schedule as Parse reads it.
func (s Schedule) String() string {
	var b strings.Builder
	for _, step := range s.Steps {
		fmt.Fprintln(&b, step)
	}
	return b.String()
}

// ErrMalformed: a text is no schedule.
var ErrMalformed = errors.New("malformed schedule")

// Parse reads a schedule. Empty lines and lines that begin with # say nothing.
func Parse(name, text string) (Schedule, error) {
	s := Schedule{Name: name}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		at, err := time.ParseDuration(words[0])
		if err != nil || len(words) < 2 {
			return Schedule{}, fmt.Errorf("%w: %s:%d: %q: want \"1.5s verb argument…\"", ErrMalformed, name, i+1, line)
		}
		if verbs[words[1]] == nil {
			return Schedule{}, fmt.Errorf("%w: %s:%d: there is no step %q", ErrMalformed, name, i+1, words[1])
		}
		s.Steps = append(s.Steps, Step{at, words[1], words[2:]})
	}
	return s, nil
}
