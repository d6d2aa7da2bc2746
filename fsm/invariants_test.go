package fsm

import (
	"fmt"
	"slices"
	"testing"
)

// checkInvariants checks what must hold of every state by itself.
func checkInvariants(t testing.TB, v *View) {
	t.Helper()
	for _, problem := range invariants(v) {
		t.Errorf("index %d: %s", v.index, problem)
	}
}

// audit collects the broken invariants of one state.
type audit struct {
	v        *View
	problems []string
	runs     map[string]*Run
	jobs     map[JobKey]*Job
}

func (a *audit) require(ok bool, format string, args ...any) {
	if !ok {
		a.problems = append(a.problems, fmt.Sprintf(format, args...))
	}
}

func invariants(v *View) []string {
	a := &audit{v: v, runs: map[string]*Run{}, jobs: map[JobKey]*Job{}}
	for j := range v.Jobs(JobKey{}) {
		a.jobs[j.Key()] = j
	}
	for r := range v.AllRuns("") {
		a.runs[r.ID] = r
	}
	a.orphans()
	a.indexes()
	a.deadlocks()
	a.follows()
	a.notifications()
	a.pools()
	fires := map[string]string{}
	for _, r := range a.runs {
		a.run(r)
		if r.ScheduledAt != 0 {
			k := fmt.Sprint(r.JobKey(), r.ScheduledAt)
			a.require(fires[k] == "", "runs %s and %s of one fire", fires[k], r.ID)
			fires[k] = r.ID
		}
	}
	for _, j := range a.jobs {
		a.job(j)
	}
	return a.problems
}

// orphans: no row of any table belongs to a job or run that is not there.
func (a *audit) orphans() {
	owned := func(table, namespace, name string) {
		a.require(a.jobs[JobKey{namespace, name}] != nil, "%s of job %s/%s, which is gone", table, namespace, name)
	}
	for x := range scan[JobVersion](a.v, tableVersions, indexID, nil) {
		owned(tableVersions, x.Namespace, x.Name)
	}
	for x := range scan[Cursor](a.v, tableCursors, indexID, nil) {
		owned(tableCursors, x.Namespace, x.Job)
	}
	for x := range scan[Fire](a.v, tableFires, indexID, nil) {
		owned(tableFires, x.Namespace, x.Job)
	}
	for x := range scan[JobStats](a.v, tableStats, indexID, nil) {
		owned(tableStats, x.Namespace, x.Job)
	}
	for _, x := range a.runs {
		owned(tableRuns, x.Namespace, x.Job)
	}
	for x := range scan[RunTask](a.v, tableTasks, indexID, nil) {
		a.require(a.runs[x.RunID] != nil, "task %s of run %s, which is gone", x.Name, x.RunID)
	}
	for x := range scan[Shard](a.v, tableShards, indexID, nil) {
		a.require(a.runs[x.RunID] != nil, "shard of run %s, which is gone", x.RunID)
	}
}

// indexes: the partial indexes hold what the states say.
func (a *audit) indexes() {
	var held, pending []string
	for s := range scan[Shard](a.v, tableShards, indexID, nil) {
		switch {
		case s.State.Held():
			held = append(held, s.Ref().String())
			a.require(a.v.Node(s.Current.Node) != nil && s.Current.Number > 0, "%s is held by nobody", s.Ref())
		case s.State == ShardPending:
			pending = append(pending, s.Ref().String())
			a.require(s.Current.Node == "", "%s is pending on node %s", s.Ref(), s.Current.Node)
		default:
			a.require(s.State.Ended(), "%s has state %q", s.Ref(), s.State)
		}
		asked := s.State == ShardRetracting || s.State == ShardRunning && a.runs[s.RunID].Cancelling
		evicted := s.State == ShardRunning && s.Why == WhyDrain
		a.require(asked == (s.Why != "") || evicted, "%s is %s because %q", s.Ref(), s.State, s.Why)
	}
	refs := func(seq func(func(*Shard) bool)) []string {
		var out []string
		for s := range seq {
			out = append(out, s.Ref().String())
		}
		slices.Sort(out)
		return out
	}
	slices.Sort(held)
	slices.Sort(pending)
	a.require(slices.Equal(held, refs(a.v.Held())), "index of held shards: %v, states say %v", refs(a.v.Held()), held)
	a.require(slices.Equal(pending, refs(a.v.Pending())), "index of pending shards: %v, states say %v", refs(a.v.Pending()), pending)
	active := 0
	for r := range a.v.AllActiveRuns() {
		active++
		a.require(!r.State.Ended(), "ended run %s in the index of active ones", r.ID)
	}
	for _, r := range a.runs {
		if !r.State.Ended() {
			active--
		}
	}
	a.require(active == 0, "the index of active runs is off by %d", active)
	bounded := map[string]bool{}
	for r := range a.v.Deadlines() {
		bounded[r.ID] = true
	}
	slow := map[string]bool{}
	for r := range a.v.SlowRuns() {
		slow[r.ID] = true
	}
	for _, r := range a.runs {
		a.require(bounded[r.ID] == (r.Deadline != 0 && !r.Cancelling && !r.State.Ended()), "run %s and the index of deadlines", r.ID)
		a.require(r.Slow || slow[r.ID] == (r.SlowAt != 0 && !r.State.Ended()), "run %s and the index of slow runs", r.ID)
		a.require(!r.TimedOut || r.State == RunFailed || r.Cancelling, "run %s has timed out and is %s", r.ID, r.State)
		a.require(r.State != RunRunning || r.StartedAt == 0 || a.v.Spec(r) == nil || a.v.Spec(r).Timeout == 0 || r.Deadline != 0, "run %s has no deadline", r.ID)
	}
}

// deadlocks: no runs wait for each other in a circle.
func (a *audit) deadlocks() {
	const visiting, done = 1, 2
	mark := map[string]int{}
	var visit func(r *Run)
	visit = func(r *Run) {
		if mark[r.ID] != 0 {
			a.require(mark[r.ID] == done, "run %s waits for itself", r.ID)
			return
		}
		mark[r.ID] = visiting
		if !r.Opened {
			for _, id := range r.Condition {
				if other := a.runs[id]; other != nil && !other.State.Ended() {
					visit(other)
				}
			}
		}
		mark[r.ID] = done
	}
	for _, r := range a.runs {
		if !r.State.Ended() {
			visit(r)
		}
	}
}

// run: counters are the sums of what they count, and an active run has
// something that will end it.
func (a *audit) run(r *Run) {
	alive, ended, failed, total := 0, 0, 0, 0
	for task := range a.v.Tasks(r.ID) {
		total++
		counts := map[ShardState]int{}
		for s := range a.v.shardsOfTask(r.ID, task.Name) {
			// Of a task that is done over, what it did the last time does not count.
			if s.Index < task.Made || task.Again == againRest && s.State == ShardSucceeded {
				counts[s.State]++
			}
		}
		if task.State.Ended() {
			ended++
			if task.State.Failed() {
				failed++
			}
		}
		open := counts[ShardPending] + counts[ShardArmed] + counts[ShardRetracting] + counts[ShardRunning]
		alive += open
		a.task(r, task, open)
		a.require(open == 0 || !task.State.Ended(), "run %s: task %s is %s with live shards", r.ID, task.Name, task.State)
		a.require(!r.State.Ended() || task.State.Ended(), "run %s is %s, its task %s %s", r.ID, r.State, task.Name, task.State)
		if !task.State.Ended() {
			a.require(task.Done == counts[ShardSucceeded] && task.Failed == counts[ShardFailed] && task.Cancelled == counts[ShardCancelled],
				"run %s: task %s counts %d/%d/%d, its shards %v", r.ID, task.Name, task.Done, task.Failed, task.Cancelled, counts)
		}
		a.require(task.State != TaskWaiting || open == 0, "run %s: waiting task %s has shards", r.ID, task.Name)
	}
	a.require(total == r.TasksTotal && ended == r.TasksDone, "run %s: %d of %d tasks ended, it says %d of %d", r.ID, ended, total, r.TasksDone, r.TasksTotal)
	a.require(failed == r.TasksFailed, "run %s: %d tasks failed, it says %d", r.ID, failed, r.TasksFailed)
	if r.State.Ended() {
		a.require(len(r.WaitsFor) == 0, "ended run %s waits for %v", r.ID, r.WaitsFor)
		return
	}
	a.require(a.v.Spec(r) != nil, "the version of active run %s is gone", r.ID)
	if alive == 0 && len(r.WaitsFor) == 0 {
		a.require(false, "nothing will ever end run %s (%s): %s", r.ID, r.State, a.describe(r))
	}
	a.require(len(r.WaitsFor) == 0 || alive == 0, "run %s waits for %v and has shards", r.ID, r.WaitsFor)
	for _, id := range r.WaitsFor {
		other := a.runs[id]
		a.require(other != nil && a.v.Shard(id, other.Gate, 0).State == ShardRetracting, "run %s waits for %s, which is not asked back", r.ID, id)
	}
	a.unopened(r)
}

// task: a task has put up as many shards as it may, and those that it must.
func (a *audit) task(r *Run, task *RunTask, open int) {
	a.require(task.Live == open, "run %s: task %s has %d live shards, it says %d", r.ID, task.Name, open, task.Live)
	a.require(task.Made <= task.Shards, "run %s: task %s has made %d of %d shards", r.ID, task.Name, task.Made, task.Shards)
	if spec := a.v.Spec(r); spec != nil {
		s := spec.Task(task.Name).Shards
		if s != nil && s.MaxParallel > 0 {
			a.require(open <= s.MaxParallel, "run %s: task %s has %d live shards, at most %d may be", r.ID, task.Name, open, s.MaxParallel)
		}
		if r.Opened && !r.Cancelling && !r.State.Ended() && (task.State == TaskPending || task.State == TaskRunning) {
			a.require(task.Made == task.Shards || open == maxLive || s != nil && open == s.MaxParallel,
				"run %s: task %s holds shards back: %d of %d made, %d live", r.ID, task.Name, task.Made, task.Shards, open)
		}
	}
	for i := range task.Nodes {
		s := a.v.Shard(r.ID, task.Name, i)
		if s != nil && r.Opened && i < task.Made {
			a.require(s.NodeID == task.Nodes[i], "run %s: shard %d of task %s is bound to %q, not %q", r.ID, i, task.Name, s.NodeID, task.Nodes[i])
			a.require(!s.State.Held() || s.Current.Node == s.NodeID, "%s is on %s, bound to %s", s.Ref(), s.Current.Node, s.NodeID)
		}
	}
}

// follows: the entries of the after lists are those of the jobs' current versions.
func (a *audit) follows() {
	var want, have []string
	for _, j := range a.jobs {
		for _, name := range a.v.Version(j.Key(), j.Version).Spec().After {
			want = append(want, name+"/"+j.Name)
		}
	}
	for f := range scan[Follow](a.v, tableFollows, indexID, nil) {
		have = append(have, f.Upstream+"/"+f.Job)
	}
	slices.Sort(want)
	slices.Sort(have)
	a.require(slices.Equal(want, have), "after lists: %v, entries %v", want, have)
}

// notifications: the counts are right, the bounds are kept, and what waits can be
// delivered.
func (a *audit) notifications() {
	pending, kept := 0, 0
	jobs := map[JobKey]int{}
	events := map[string]bool{}
	for n := range a.v.Notifications(0) {
		id := fmt.Sprint(n.ID, "/", n.Block)
		a.require(!events[id], "event %s twice", id)
		events[id] = true
		a.require(n.Seq <= a.v.NotifyStats().Seq, "notification %d, the latest is said to be %d", n.Seq, a.v.NotifyStats().Seq)
		if n.Status != NotificationPending {
			kept++
			a.require(n.Target == nil && n.Tail == nil, "notification %d is %s and keeps what it needed", n.Seq, n.Status)
			continue
		}
		pending++
		jobs[n.JobKey()]++
		a.require(n.Target != nil && slices.Contains(n.Target.On, n.Name), "notification %d of %s goes to %v", n.Seq, n.Name, n.Target)
	}
	due := 0
	for range a.v.DueNotifications() {
		due++
	}
	for k, n := range jobs {
		a.require(n <= MaxJobNotifications, "job %s has %d notifications waiting", k, n)
	}
	stats := a.v.NotifyStats()
	a.require(pending == stats.Pending && kept == stats.Kept && due == pending, "%d notifications wait, %d are due, %d are kept; the counts say %+v", pending, due, kept, stats)
	a.require(pending <= MaxNotifications && kept <= MaxKeptNotifications, "%d notifications wait, %d are kept", pending, kept)
	a.require(stats.Seq == uint64(pending)+stats.Delivered+stats.Failed+stats.Dropped, "%d notifications wait; the counts say %+v", pending, stats)
}

// unopened: a fire that has not started is undecided and sits in its gate alone.
func (a *audit) unopened(r *Run) {
	if r.Opened || r.ScheduledAt == 0 {
		return
	}
	f := a.v.Fire(r.JobKey(), r.ScheduledAt)
	a.require(f != nil && f.Outcome == "" && f.RunID == r.ID, "the fire of unstarted run %s is %+v", r.ID, f)
	for s := range a.v.Shards(r.ID) {
		a.require(s.Task == r.Gate && s.Index == 0, "run %s has not started, but has shard %s", r.ID, s.Ref())
		if a.jobs[r.JobKey()].Paused {
			a.require(s.State == ShardRetracting, "job %s is paused and its fire %s is %s", r.Job, r.ID, s.State)
		}
	}
}

// job: what is kept of a job's past is within its bounds and counted right.
func (a *audit) job(j *Job) {
	k := j.Key()
	a.require(a.v.Version(k, j.Version) != nil, "job %s has no version %d", k, j.Version)
	versions := 0
	for range a.v.Versions(k) {
		versions++
	}
	stats := a.v.Stats(k)
	if stats == nil {
		stats = &JobStats{}
	}
	history := a.v.historyOf(k)
	ended, decided, active := 0, 0, 0
	for r := range a.v.Runs(k) {
		if r.State.Ended() {
			ended++
		} else {
			active++
		}
	}
	for f := range a.v.Fires(k) {
		if f.Outcome != "" {
			decided++
		} else {
			a.require(a.v.RunActive(f.RunID), "undecided fire %s of job %s without an active run", f.ScheduledAt, k)
		}
	}
	// A version that a run needed when the last one came stays until the next.
	a.require(versions <= keptVersion+active+20, "job %s keeps %d versions", k, versions)
	if j.Deleting {
		a.require(active > 0, "job %s is being deleted and nothing is active", k)
		return
	}
	a.require(stats.Runs == ended && stats.Fires == decided, "job %s keeps %d runs and %d fires, it says %d and %d", k, ended, decided, stats.Runs, stats.Fires)
	a.require(ended <= max(history.KeepRuns(), a.largest(k).KeepRuns()), "job %s keeps %d runs", k, ended)
	a.require(decided <= max(history.KeepFires(), a.largest(k).KeepFires())+active, "job %s keeps %d fires", k, decided)
}

// largest returns the widest history among the kept versions: a bound that was
// just lowered takes effect with the next end.
func (a *audit) largest(k JobKey) History {
	var h History
	for v := range a.v.Versions(k) {
		if v.History().KeepRuns() > h.Runs {
			h.Runs = v.History().KeepRuns()
		}
	}
	return h
}

// describe writes a run with its tasks and shards.
func (a *audit) describe(r *Run) string {
	text := fmt.Sprintf("%+v", *r)
	for task := range a.v.Tasks(r.ID) {
		text += fmt.Sprintf("\n\t%+v", *task)
	}
	for s := range a.v.Shards(r.ID) {
		text += fmt.Sprintf("\n\t%s %s %s", s.Ref(), s.State, s.Why)
	}
	return text
}
