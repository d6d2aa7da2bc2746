package fsm

import (
	"errors"
	"strings"
	"testing"
)

func follower(name string, after ...string) JobSpec {
	s := spec(name, 0)
	s.After = after
	return s
}

func (l *lab) runsOf(job string) (runs []*Run) {
	for r := range l.view().Runs(key(job)) {
		runs = append(runs, r)
	}
	return runs
}

// succeed runs a job to its end.
func (l *lab) succeed(job, id string, fails bool) {
	l.t.Helper()
	l.took(l.start(job, id))
	work(l, id, map[string]bool{"main/0": fails})
}

// TestAfter: every job of the list must have succeeded since the last run.
func TestAfter(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.put(spec("a", 0))
	l.put(spec("b", 0))
	l.put(follower("both", "a", "b"))
	for i, step := range []struct {
		job   string
		fails bool
		want  int
	}{{"a", false, 0}, {"b", true, 0}, {"a", false, 0}, {"b", false, 1}, {"b", false, 1}, {"a", true, 1}, {"a", false, 2}} {
		id := "m" + string(rune('1'+i))
		l.succeed(step.job, id, step.fails)
		runs := l.runsOf("both")
		if len(runs) != step.want {
			t.Fatalf("step %d: %d runs, want %d", i, len(runs), step.want)
		}
		if i == 3 && (runs[0].Trigger != TriggerAfter || runs[0].UpstreamRunID != id || runs[0].ScheduledAt != 0) {
			t.Errorf("run %+v", runs[0])
		}
	}
	checkInvariants(t, l.view())
}

// TestAfterAndOverlap: a policy that forbids another run is obeyed, and what it
// refused can be seen.
func TestAfterAndOverlap(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.put(spec("a", 0))
	s := spec("b", 1)
	s.After = []string{"a"}
	l.put(s)
	l.succeed("a", "m1", false)
	l.succeed("a", "m2", false)
	var got []string
	for _, r := range l.runsOf("b") {
		got = append(got, string(r.State)+" "+r.Reason)
	}
	if strings.Join(got, ",") != "pending ,cancelled overlap" && strings.Join(got, ",") != "cancelled overlap,pending " {
		t.Errorf("runs %q", got)
	}
	checkInvariants(t, l.view())
	l.pause("b", true)
	l.succeed("a", "m3", false)
	if n := len(l.runsOf("b")); n != 2 {
		t.Errorf("a paused job has %d runs", n)
	}
}

// TestAfterRefused: circles and unknown jobs, in one request and over several.
func TestAfterRefused(t *testing.T) {
	l := newLab(t)
	put := func(specs ...JobSpec) error {
		p := PutJobs{At: l.now}
		for _, s := range specs {
			p.Jobs = append(p.Jobs, PutJob{Spec: s})
		}
		return l.apply(OpPutJobs, p).Err
	}
	if err := put(follower("b", "a")); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), `there is no job "a"`) {
		t.Errorf("an unknown job: %v", err)
	}
	if err := put(follower("b", "a"), spec("a", 0), follower("c", "b")); err != nil {
		t.Errorf("three in a row: %v", err)
	}
	err := put(follower("a", "c"))
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "a -> b -> c -> a") && !strings.Contains(err.Error(), "a -> c -> b -> a") {
		t.Errorf("a circle: %v", err)
	}
	if err := put(follower("x", "y"), follower("y", "x")); !errors.Is(err, ErrInvalid) {
		t.Errorf("a circle in one request: %v", err)
	}
	if err := put(follower("a"), follower("b")); err != nil {
		t.Errorf("undoing it: %v", err)
	}
	if err := put(follower("a", "c")); err != nil {
		t.Errorf("the circle is open now: %v", err)
	}
	l.must(OpDeleteJob, DeleteJob{l.now, key("c")})
	checkInvariants(t, l.view())
}

// TestParams: what a run may be given.
func TestParams(t *testing.T) {
	l := newLab(t)
	s := spec("j", 0)
	s.Params = []Param{{Name: "n", Type: ParamNumber}, {Name: "env", Default: new("dev"), OneOf: []string{"dev", "prod"}}}
	l.put(s)
	start := func(id string, version uint64, params map[string]string) error {
		return l.apply(OpStartRun, StartRun{At: l.now, ID: id, Job: key("j"), Params: params, Version: version}).Err
	}
	for name, c := range map[string]struct {
		params  map[string]string
		version uint64
		want    error
	}{
		"fine":          {map[string]string{"n": "1e3", "env": "prod"}, 1, nil},
		"default":       {map[string]string{"n": "-2"}, 0, nil},
		"missing":       {nil, 0, ErrInvalid},
		"unknown":       {map[string]string{"n": "1", "m": "2"}, 0, ErrInvalid},
		"no number":     {map[string]string{"n": "0x10"}, 0, ErrInvalid},
		"not one of":    {map[string]string{"n": "1", "env": "test"}, 0, ErrInvalid},
		"other version": {map[string]string{"n": "1"}, 2, ErrConflict},
		"too long":      {map[string]string{"n": "1", "env": strings.Repeat("x", MaxParamValue+1)}, 0, ErrInvalid},
	} {
		if err := start("r-"+strings.ReplaceAll(name, " ", "-"), c.version, c.params); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if run := l.view().Run("r-default"); run == nil || run.Params["env"] != "dev" || run.Params["n"] != "-2" {
		t.Errorf("run %+v", run)
	}
}
