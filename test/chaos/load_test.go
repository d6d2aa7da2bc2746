package chaos

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
)

// What is lost with a node is tried again soon, so that a scenario need not wait
// for it.
const (
	stopAfter = 5 * time.Second
	grace     = time.Second
	startBy   = 2 * time.Second
)

// kind is a sort of job in the load.
type kind struct {
	name  string
	count int
	step  time.Duration
	terms cluster.Terms
	// skips are the reasons for which an instant may be skipped.
	skips []string
	// spec is what differs from an ordinary job.
	spec func(s *fsm.JobSpec, records *cluster.Records)
}

// kinds are the load. After an outage "tick" makes up for everything, the others
// for what their misfire policy says.
func kinds() []kind {
	again := cluster.Terms{Again: true}
	late := []string{fsm.ReasonSuperseded, fsm.ReasonMissed}
	// Slow jobs live for longer than what is lost with a node waits.
	step, live := 20*time.Second, 15*time.Second
	if hurried() {
		step, live = 10*time.Second, 9*time.Second
	}
	return []kind{
		{"tick", 8, time.Second, again, nil, func(*fsm.JobSpec, *cluster.Records) {}},
		{"crunch", 2, time.Second, again, nil, func(s *fsm.JobSpec, _ *cluster.Records) {
			s.Tasks[0].Shards = &fsm.Shards{Count: 3}
		}},
		{"flaky", 2, time.Second, again, nil, func(s *fsm.JobSpec, r *cluster.Records) {
			s.Tasks[0].Args = r.Watched("main", 0, 1).Args
			s.Tasks[0].Retry = fsm.Retry{Attempts: 3, Backoff: fsm.Duration(200 * time.Millisecond)}
		}},
		{"twice", 2, time.Second, cluster.Terms{Again: true, Beside: true}, nil, func(s *fsm.JobSpec, r *cluster.Records) {
			s.Tasks[0].Args, s.Tasks[0].Idempotent = r.Watched("main", 300*time.Millisecond, 0).Args, true
		}},
		{"forbid", 2, time.Second, cluster.Terms{Again: true, Alone: true}, append(late, fsm.ReasonOverlap), func(s *fsm.JobSpec, r *cluster.Records) {
			s.Tasks[0].Args = r.Watched("main", 1400*time.Millisecond, 0).Args
			s.Schedules[0].Overlap, s.Schedules[0].Misfire = fsm.OverlapForbid, fsm.MisfireLast
		}},
		{"queue", 1, time.Second, cluster.Terms{Again: true, Alone: true}, append(late, fsm.ReasonOverlap), func(s *fsm.JobSpec, r *cluster.Records) {
			s.Tasks[0].Args = r.Watched("main", 200*time.Millisecond, 0).Args
			s.Schedules[0].Overlap, s.Schedules[0].Misfire = fsm.OverlapQueue, fsm.MisfireLast
		}},
		{"replace", 1, time.Second, cluster.Terms{Again: true, Alone: true, Cut: true}, append(late, fsm.ReasonOverlap), func(s *fsm.JobSpec, r *cluster.Records) {
			s.Tasks[0].Args = r.Watched("main", 2500*time.Millisecond, 0).Args
			s.Schedules[0].Overlap, s.Schedules[0].Misfire = fsm.OverlapReplace, fsm.MisfireLast
		}},
		{"by", 2, time.Second, cluster.Terms{Again: true, Within: startBy}, late, func(s *fsm.JobSpec, _ *cluster.Records) {
			s.Schedules[0].StartDeadline = fsm.Duration(startBy)
		}},
		{"slow", 3, step, again, nil, func(s *fsm.JobSpec, r *cluster.Records) {
			s.Tasks[0].Args = r.Watched("main", live, 0).Args
		}},
	}
}

// load are the jobs that are due all the time.
type load struct {
	records *cluster.Records
	kinds   map[fsm.JobKey]kind
	since   map[fsm.JobKey]fsm.Time
}

// startLoad applies the jobs.
func startLoad(t *testing.T, c *cluster.Cluster) *load {
	t.Helper()
	l := &load{records: cluster.NewRecords(t), kinds: map[fsm.JobKey]kind{}, since: map[fsm.JobKey]fsm.Time{}}
	l.records.StandApart(c)
	var specs []fsm.JobSpec
	for _, k := range kinds() {
		for i := range k.count {
			spec := everySecond(fmt.Sprintf("%s-%d", k.name, i), l.records)
			spec.Schedules[0].Cron = fmt.Sprintf("*/%d * * * * *", k.step/time.Second)
			k.spec(&spec, l.records)
			specs = append(specs, spec)
			l.kinds[spec.Key()] = k
		}
	}
	// A busy machine may change its leader just now; to apply again is harmless.
	cluster.Eventually(t, patience, "the load", func() error {
		client := c.Leader().Client()
		if _, err := client.PutJobs(t.Context(), specs, false); err != nil {
			return err
		}
		for key := range l.kinds {
			job, err := client.Job(t.Context(), key, 0)
			if err != nil {
				return err
			}
			l.since[key] = job.CreatedAt
		}
		return nil
	})
	return l
}

// everySecond is a job whose instants may overlap and are all made up for.
func everySecond(name string, records *cluster.Records) fsm.JobSpec {
	task := records.Watched("main", 0, 0)
	task.StopAfter, task.Grace = fsm.Duration(stopAfter), fsm.Duration(grace)
	return fsm.JobSpec{
		Namespace: fsm.DefaultNamespace, Name: name, Tasks: []fsm.Task{task}, History: fsm.History{Runs: 1000},
		Schedules: []fsm.Schedule{{
			Cron: "* * * * * *", Overlap: fsm.OverlapAllow, Misfire: fsm.MisfireAll, MisfireLimit: 1000,
		}},
	}
}

// due returns what a job owes up to an instant.
func (l *load) due(key fsm.JobKey, to fsm.Time) cluster.Due {
	due := cluster.Every(key, l.kinds[key].step, 0, l.since[key], to)
	due.Terms = l.kinds[key].terms
	return due
}

// allows says whether a job's file allows an instant to be skipped for a reason.
func (l *load) allows(key fsm.JobKey, reason string) bool {
	return slices.Contains(l.kinds[key].skips, reason)
}
