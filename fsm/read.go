package fsm

import (
	"iter"

	"github.com/hashicorp/go-memdb"
)

// Job returns the job, or nil.
func (v *View) Job(k JobKey) *Job { return v.job(k) }

// Jobs yields all jobs in the order of namespace and name, beginning after the
// given key.
func (v *View) Jobs(after JobKey) iter.Seq[*Job] {
	start := []byte(nil)
	if after != (JobKey{}) {
		start = append(jobKey(after), 1)
	}
	return from[Job](v, tableJobs, indexID, start)
}

// Version returns one version of a job, or nil if it is no longer kept.
func (v *View) Version(k JobKey, n uint64) *JobVersion { return v.version(k, n) }

// Versions yields the kept versions of a job, oldest first.
func (v *View) Versions(k JobKey) iter.Seq[*JobVersion] { return v.versionsOf(k) }

// Spec returns the content of the version that a run was made of, or nil if that
// is no longer kept; an active run's always is.
func (v *View) Spec(r *Run) *JobSpec {
	version := v.version(r.JobKey(), r.Version)
	if version == nil {
		return nil
	}
	return version.Spec()
}

// Cursors yields how far each schedule of a job has been decided.
func (v *View) Cursors(k JobKey) iter.Seq[*Cursor] { return v.cursorsOf(k) }

// Due yields every cursor that has a next instant, the earliest first.
func (v *View) Due() iter.Seq[*Cursor] { return scan[Cursor](v, tableCursors, byDue, nil) }

// Fire returns the fire of that key, or nil.
func (v *View) Fire(k JobKey, t Time) *Fire { return v.fire(k, t) }

// Fires yields the kept fires of a job, oldest first.
func (v *View) Fires(k JobKey) iter.Seq[*Fire] { return v.firesOf(k) }

// Run returns the run, or nil.
func (v *View) Run(id string) *Run { return v.run(id) }

// Runs yields the kept runs of a job, oldest first.
func (v *View) Runs(k JobKey) iter.Seq[*Run] { return v.runsOf(k) }

// AllRuns yields the runs of every job in the order of their IDs, beginning
// after the given one.
func (v *View) AllRuns(after string) iter.Seq[*Run] {
	start := []byte(nil)
	if after != "" {
		start = append(text(after), 0)
	}
	return from[Run](v, tableRuns, indexID, start)
}

// ActiveRuns yields a job's runs that have not ended, in the order of the log.
func (v *View) ActiveRuns(k JobKey) iter.Seq[*Run] { return v.activeRuns(k) }

// AllActiveRuns yields every run that has not ended.
func (v *View) AllActiveRuns() iter.Seq[*Run] { return scan[Run](v, tableRuns, byActive, nil) }

// Replacing yields the runs that have not started and whose policy is to replace
// the runs that their condition names.
func (v *View) Replacing() iter.Seq[*Run] { return scan[Run](v, tableRuns, byReplacing, nil) }

// RunActive says whether the run is there and has not ended.
func (v *View) RunActive(id string) bool { return v.runActive(id) }

// Tasks yields the tasks of a run in the order of their names.
func (v *View) Tasks(run string) iter.Seq[*RunTask] { return v.tasksOf(run) }

// Task returns one task of a run, or nil.
func (v *View) Task(run, name string) *RunTask { return v.task(run, name) }

// Shard returns one shard, or nil.
func (v *View) Shard(run, task string, i int) *Shard { return v.shard(run, task, i) }

// Shards yields the shards of a run in the order of task and index.
func (v *View) Shards(run string) iter.Seq[*Shard] { return v.shardsOf(run) }

// HeldBy yields the shards whose attempt is bound to a node.
func (v *View) HeldBy(node string) iter.Seq[*Shard] { return v.heldBy(node) }

// Held yields the shards whose attempt is bound to any node, node by node.
func (v *View) Held() iter.Seq[*Shard] { return scan[Shard](v, tableShards, byNode, nil) }

// ShardsOfTask yields the shards of a task of a run in the order of their indexes.
func (v *View) ShardsOfTask(run, task string) iter.Seq[*Shard] { return v.shardsOfTask(run, task) }

// Pending yields the shards that wait for a place, in the order of the line that
// they stand in.
func (v *View) Pending() iter.Seq[*Shard] { return scan[Shard](v, tableShards, byPending, nil) }

// Node returns the node of that ID, or nil.
func (v *View) Node(id string) *Node { return v.node(id) }

// NodeByName returns the node of that name, or nil.
func (v *View) NodeByName(name string) *Node {
	for n := range v.nodes() {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// Nodes yields every node.
func (v *View) Nodes() iter.Seq[*Node] { return v.nodes() }

// Pool returns the pool of that name, or nil.
func (v *View) Pool(name string) *Pool { return v.pool(name) }

// Pools yields every pool in the order of their names.
func (v *View) Pools() iter.Seq[*Pool] { return scan[Pool](v, tablePools, indexID, nil) }

// Stats returns the counts of a job's fires, or nil.
func (v *View) Stats(k JobKey) *JobStats { return v.stats(k) }

// AllStats yields the counts of every job that has had a fire decided or a run ended.
func (v *View) AllStats() iter.Seq[*JobStats] { return scan[JobStats](v, tableStats, indexID, nil) }

// Settings returns the cluster's own row; never nil.
func (v *View) Settings() *Settings { return v.settings() }

// Changed returns a set of channels one of which closes when anything that this
// view has read so far changes. It is nil for a view made without watching.
func (v *View) Changed() memdb.WatchSet { return v.watch }
