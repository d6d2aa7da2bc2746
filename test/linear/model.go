package linear

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// Kind is what a call does.
type Kind string

// The calls.
const (
	Put    Kind = "put"
	Get    Kind = "get"
	Delete Kind = "delete"
	Pause  Kind = "pause"
	Resume Kind = "resume"
)

// Input is one call on one job.
type Input struct {
	Job  string
	Kind Kind
	// Mark is the content of a Put; no two are equal.
	Mark string
}

// Output is the answer to a call.
type Output struct {
	// Unknown: none came.
	Unknown bool
	// Found is false where the answer was that there is no such job.
	Found bool
	// Version is that of a Put's or a Get's answer; Mark and Paused, a Get's.
	Version uint64
	Mark    string
	Paused  bool
}

// state is one job; the zero value is none.
type state struct {
	exists  bool
	version uint64
	mark    string
	paused  bool
}

// step says what a call does to a job, and what it must answer.
func step(s state, in Input) (state, Output) {
	switch {
	case in.Kind == Get && s.exists:
		return s, Output{Found: true, Version: s.version, Mark: s.mark, Paused: s.paused}
	case in.Kind == Put:
		s.exists, s.mark = true, in.Mark
		s.version++
		return s, Output{Found: true, Version: s.version}
	case !s.exists:
		return s, Output{}
	case in.Kind == Delete:
		return state{}, Output{Found: true}
	}
	s.paused = in.Kind == Pause
	return s, Output{Found: true}
}

// model is the jobs as porcupine takes them; each is by itself.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		jobs := map[string][]porcupine.Operation{}
		var order []string
		for _, op := range history {
			job := op.Input.(Input).Job
			if jobs[job] == nil {
				order = append(order, job)
			}
			jobs[job] = append(jobs[job], op)
		}
		var list [][]porcupine.Operation
		for _, job := range order {
			list = append(list, jobs[job])
		}
		return list
	},
	Init: func() any { return state{} },
	Step: func(s, in, out any) (bool, any) {
		next, answer := step(s.(state), in.(Input))
		given := out.(Output)
		return given.Unknown || given == answer, next
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v → %+v", in, out) },
	DescribeState:     func(s any) string { return fmt.Sprintf("%+v", s) },
}
