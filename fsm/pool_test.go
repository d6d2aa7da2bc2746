package fsm

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// pooled puts a job without a schedule whose shards take of a pool.
func (l *lab) pooled(name string, shards int, uses ...PoolUse) {
	l.t.Helper()
	s := spec(name, 0)
	s.Tasks[0].Shards, s.Tasks[0].Pools = &Shards{Count: shards}, uses
	l.put(s)
}

func (l *lab) pool(name string, limit int) PoolResult {
	l.t.Helper()
	return l.must(OpApplyFile, ApplyFile{Pools: []PutPool{{name, limit}}, PutJobs: PutJobs{At: l.now}}).(ApplyResult).Pools[0]
}

// TestPoolIsNeverExceeded: whatever is armed by whomever, in whatever order, and
// whatever becomes of it, no arming takes a pool past its limit.
func TestPoolIsNeverExceeded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLab(t)
		l.node("n1", 1)
		l.node("n2", 1)
		l.pool("db", 3)
		for i := range 3 {
			l.pooled(fmt.Sprint("j", i), 4, PoolUse{"db", 1 + i%2})
			l.took(l.start(fmt.Sprint("j", i), fmt.Sprint("r", i)))
		}
		for range 60 {
			used := l.view().Pool("db").Used
			s := l.view().Shard(fmt.Sprint("r", rapid.IntRange(0, 2).Draw(rt, "run")), "main", rapid.IntRange(0, 3).Draw(rt, "shard"))
			switch rapid.IntRange(0, 9).Draw(rt, "event") {
			case 0:
				_ = l.report(s, ReportStarted, "")
			case 1:
				_ = l.report(s, ReportEnded, AttemptSucceeded)
			case 2:
				_ = l.displace(s, DisplaceLose)
			case 3:
				_ = l.report(s, ReportNever, "")
			default:
				// Each plan is made of the state, and does not know of the others.
				err := l.arm(s, "n1")
				if s.State == ShardPending && (err == nil) != (used+s.Pools[0].Weight <= 3) {
					rt.Fatalf("%d of 3 used, arming %d more: %v", used, s.Pools[0].Weight, err)
				}
			}
			held := 0
			for s := range l.view().Held() {
				held += s.Pools[0].Weight
			}
			if now := l.view().Pool("db"); now.Used != held || held > 3 {
				rt.Fatalf("held %d, counted %d, limit 3", held, now.Used)
			}
		}
	})
}

func TestPoolRefusals(t *testing.T) {
	l := newLab(t)
	refused := func(what string, op Opcode, cmd any, want error) {
		t.Helper()
		if err := l.apply(op, cmd).Err; !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	s := spec("a", 0)
	s.Tasks[0].Pools = []PoolUse{{"db", 2}}
	refused("an unknown pool", OpPutJobs, PutJobs{l.now, []PutJob{{Spec: s}}}, ErrInvalid)
	refused("a pool that is too small", OpApplyFile, ApplyFile{[]PutPool{{"db", 1}}, PutJobs{l.now, []PutJob{{Spec: s}}}}, ErrInvalid)
	if l.view().Pool("db") != nil {
		t.Error("a pool of a file that was refused is there")
	}
	refused("a pool twice", OpApplyFile, ApplyFile{Pools: []PutPool{{"db", 1}, {"db", 2}}}, ErrInvalid)
	refused("no limit", OpApplyFile, ApplyFile{Pools: []PutPool{{"db", 0}}}, ErrInvalid)
	refused("deleting what is not there", OpDeletePool, DeletePool{l.now, "db"}, ErrNotFound)

	got := l.must(OpApplyFile, ApplyFile{[]PutPool{{"db", 2}}, PutJobs{l.now, []PutJob{{Spec: s}}}})
	want := ApplyResult{Pools: []PoolResult{{"db", 2, true, true}}, Jobs: []PutResult{{key("a"), 1, true, true}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	refused("deleting what a job names", OpDeletePool, DeletePool{l.now, "db"}, ErrConflict)
	if again := l.pool("db", 2); again.Changed || again.Created {
		t.Errorf("the same again: %+v", again)
	}

	l.node("n1", 1)
	l.took(l.start("a", "r1"))
	l.took(l.arm(l.view().Shard("r1", "main", 0), "n1"))
	l.put(spec("a", 0)) // no longer names the pool; its run does
	refused("deleting what is in use", OpDeletePool, DeletePool{l.now, "db"}, ErrConflict)
	l.took(l.report(l.view().Shard("r1", "main", 0), ReportNever, ""))
	l.must(OpDeletePool, DeletePool{l.now, "db"})
	l.took(l.arm(l.view().Shard("r1", "main", 0), "n1")) // bounded by nothing any more
	l.pool("db", 5)
	if p := l.view().Pool("db"); p.Used != 2 || p.Jobs != 0 {
		t.Errorf("made anew while a run is in it: %+v", p)
	}
	checkInvariants(t, l.view())
}

// TestAGateTakesNothingOfAPoolBeforeItsTurn: a run that waits for another on a node
// would hold what that one may need to end.
func TestAGateTakesNothingOfAPoolBeforeItsTurn(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.pool("db", 5)
	s := spec("a", 1)
	s.Schedules[0].Overlap, s.Tasks[0].Pools = OverlapQueue, []PoolUse{{"db", 1}}
	l.put(s)
	first, second := l.fired("a", on("n1")), l.fired("a", on("n1"))
	if one, two := l.gate(first).State, l.gate(second).State; one != ShardArmed || two != ShardPending {
		t.Errorf("the gates are %s and %s", one, two)
	}
	if err := l.arm(l.gate(second), "n1"); !errors.Is(err, ErrStale) {
		t.Errorf("armed before its turn: %v", err)
	}
	l.took(l.report(l.gate(first), ReportEnded, AttemptSucceeded))
	l.took(l.arm(l.gate(second), "n1"))
	checkInvariants(t, l.view())
}

// TestPendingIsALine: by priority and by how long they have waited, whatever the
// names of the runs.
func TestPendingIsALine(t *testing.T) {
	l := newLab(t)
	start := func(run string, priority *int) {
		s := spec("job-"+run, 0)
		s.Priority = priority
		l.put(s)
		l.took(l.start("job-"+run, run))
	}
	start("e-old", nil)
	l.now += Time(HeadStart)
	start("d", nil)
	start("c-more", new(51)) // as far ahead as the one that is older by that much
	l.now++
	start("b-most", new(100))
	start("a-least", new(0))
	l.now += Time(HeadStart)*100 + 1
	start("a-late", new(100)) // behind all that waited for a hundred points
	var got []string
	for s := range l.view().Pending() {
		got = append(got, s.RunID)
	}
	want := []string{"b-most", "c-more", "e-old", "d", "a-least", "a-late"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// pools: their counts are what the attempts and the jobs add up to.
func (a *audit) pools() {
	used, jobs := map[string]int{}, map[string]int{}
	for s := range a.v.Held() {
		for _, use := range s.Pools {
			used[use.Name] += use.Weight
		}
		if run := a.v.Run(s.RunID); len(s.Pools) > 0 && s.State == ShardArmed {
			a.require(!slices.ContainsFunc(run.Condition, a.v.RunActive), "a shard of run %s holds pools while it waits for %v", run.ID, run.Condition)
		}
	}
	for _, j := range a.jobs {
		for _, name := range a.v.Version(j.Key(), j.Version).Spec().PoolNames() {
			jobs[name]++
			a.require(a.v.Pool(name) != nil, "job %s names pool %s, which is not there", j.Key(), name)
		}
	}
	for p := range a.v.Pools() {
		a.require(p.Used == used[p.Name] && p.Jobs == jobs[p.Name], "pool %s counts %d used by %d jobs, there are %d by %d", p.Name, p.Used, p.Jobs, used[p.Name], jobs[p.Name])
	}
}
