package sim

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// A job of a schedule is written as words: "a every=1s overlap=queue work=700ms".
// What its processes must know stands in their arguments, so that the record of a
// process says what its job promised.

// told are the words that processes are given.
var told = []string{"work", "linger", "delay", "fail", "idempotent", "exclusive", "deadline"}

// jobOf reads the words of a job; the first is its name.
func jobOf(words []string) (fsm.JobSpec, error) {
	opt := map[string]string{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		opt[k] = v
	}
	r := reader{opt: opt}
	spec := fsm.JobSpec{
		Namespace: fsm.DefaultNamespace, Name: words[0], Description: strings.Join(words, " "),
		History: fsm.History{Runs: 5000}, Timeout: r.duration("timeout"),
	}
	if every := r.duration("every"); every > 0 {
		s := fsm.Schedule{
			Every: every, Overlap: opt["overlap"], Misfire: opt["misfire"], StartDeadline: r.duration("deadline"), Jitter: r.duration("jitter"),
		}
		spec.Schedules = []fsm.Schedule{s}
		if s.Overlap != fsm.OverlapAllow {
			opt["exclusive"] = "yes"
		}
	}
	if after := opt["after"]; after != "" {
		spec.After = strings.Split(after, ",")
	}
	task := fsm.Task{
		Driver: fsm.DriverExec, Command: "/bin/work", StopAfter: r.duration("stop_after"), Grace: r.duration("grace"),
		Idempotent: opt["idempotent"] != "", OnNodeLoss: opt["loss"], Weight: r.number("weight"),
		Retry: fsm.Retry{Attempts: r.number("tries"), Backoff: r.duration("backoff"), MaxBackoff: r.duration("backoff")},
	}
	for _, k := range told {
		if v, ok := opt[k]; ok {
			task.Args = append(task.Args, k+"="+v)
		}
	}
	for i := range max(r.number("graph"), 1) {
		t := task
		t.Name = fmt.Sprintf("t%d", i)
		if i > 0 {
			t.DependsOn = []string{fmt.Sprintf("t%d", i-1)}
		}
		if n := r.number("shards"); n > 0 && i == 0 {
			t.Shards = &fsm.Shards{Count: n, MaxParallel: r.number("parallel")}
		}
		spec.Tasks = append(spec.Tasks, t)
	}
	return spec, r.err
}

// reader reads options, and keeps the first error.
type reader struct {
	opt map[string]string
	err error
}

func (r *reader) duration(name string) fsm.Duration {
	text, ok := r.opt[name]
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%w: %s=%s: %w", ErrMalformed, name, text, err)
	}
	return fsm.Duration(d)
}

func (r *reader) number(name string) int {
	text, ok := r.opt[name]
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%w: %s=%s: %w", ErrMalformed, name, text, err)
	}
	return n
}

// told returns what a process of such a job was told, by its arguments.
func (s Start) told(name string) (string, bool) {
	i := slices.IndexFunc(s.Argv, func(arg string) bool { k, _, _ := strings.Cut(arg, "="); return k == name })
	if i < 0 {
		return "", false
	}
	_, value, _ := strings.Cut(s.Argv[i], "=")
	return value, true
}

// scripted is the workload of a schedule's jobs. Whether an attempt fails, and
// how long it takes, follows from its key, so that it is the same in every run.
func scripted(req proc.StartRequest) Outcome {
	s := Start{Argv: req.Argv}
	d := func(name string) time.Duration {
		text, _ := s.told(name)
		d, _ := time.ParseDuration(text)
		return d
	}
	h := fnv.New64a()
	for _, name := range []string{"ROTA_JOB", "ROTA_SCHEDULED_AT", "ROTA_TASK", "ROTA_SHARD_INDEX", "ROTA_ATTEMPT"} {
		fmt.Fprint(h, variable(req, name), "/")
	}
	chance := int(h.Sum64() % 100)
	out := Outcome{After: d("work"), Linger: d("linger")}
	if chance%4 == 0 {
		out.After *= 2
	}
	if chance%3 == 0 {
		out.Delay = d("delay")
	}
	text, _ := s.told("fail")
	if percent, _ := strconv.Atoi(text); chance < percent {
		out.ExitCode = 1
	}
	return out
}

// variable returns a variable of a start request.
func variable(req proc.StartRequest, name string) string {
	for _, kv := range req.Env {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v
		}
	}
	return ""
}
