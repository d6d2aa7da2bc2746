package fsm

import (
	"iter"

	"github.com/hashicorp/go-memdb"
)

// View is one consistent state of the store. What it returns is shared and must
// not be changed. A View may be used from one goroutine at a time.
type View struct {
	txn   *memdb.Txn
	watch memdb.WatchSet
	index uint64
	// draft has what the entry that is being applied has written; nil otherwise.
	draft *draft
}

// Index is the log index up to which the view has applied.
func (v *View) Index() uint64 { return v.index }

// get returns the object of that key, or nil.
func get[T any](v *View, table string, key []byte) *T {
	if v.draft != nil {
		obj, _ := v.draft.get(table, key).(*T)
		return obj
	}
	ch, obj, err := v.txn.FirstWatch(table, indexID, key)
	must(err)
	if v.watch != nil {
		v.watch.Add(ch)
	}
	if obj == nil {
		return nil
	}
	return obj.(*T)
}

// scan yields the objects whose key in the index begins with prefix, in order.
// Changes made while it runs are not seen.
func scan[T any](v *View, table, index string, prefix []byte) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		it, err := v.txn.Get(table, index+"_prefix", prefix)
		must(err)
		if v.draft != nil {
			o := v.draft.over(it, table, index, prefix, prefix)
			defer o.done()
			it = o
		}
		if v.watch != nil {
			v.watch.Add(it.WatchCh())
		}
		for obj := it.Next(); obj != nil; obj = it.Next() {
			if !yield(obj.(*T)) {
				return
			}
		}
	}
}

// from yields the objects of a table in key order, beginning at key start.
func from[T any](v *View, table, index string, start []byte) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		it, err := v.txn.LowerBound(table, index, start)
		must(err)
		if v.draft != nil {
			o := v.draft.over(it, table, index, nil, start)
			defer o.done()
			it = o
		}
		if v.watch != nil {
			// A lower bound cannot be watched: watch the whole index.
			all, err := v.txn.Get(table, index+"_prefix", []byte(nil))
			must(err)
			v.watch.Add(all.WatchCh())
		}
		for obj := it.Next(); obj != nil; obj = it.Next() {
			if !yield(obj.(*T)) {
				return
			}
		}
	}
}

// The methods below are the reads that Apply and everybody else share.

func (v *View) job(k JobKey) *Job { return get[Job](v, tableJobs, jobKey(k)) }

func (v *View) version(k JobKey, n uint64) *JobVersion {
	return get[JobVersion](v, tableVersions, versionKey(k, n))
}

func (v *View) versionsOf(k JobKey) iter.Seq[*JobVersion] {
	return scan[JobVersion](v, tableVersions, indexID, jobKey(k))
}

func (v *View) cursor(k JobKey, schedule int) *Cursor {
	return get[Cursor](v, tableCursors, cursorKey(k, schedule))
}

func (v *View) cursorsOf(k JobKey) iter.Seq[*Cursor] {
	return scan[Cursor](v, tableCursors, indexID, jobKey(k))
}

func (v *View) fire(k JobKey, t Time) *Fire { return get[Fire](v, tableFires, fireKey(k, t)) }

func (v *View) firesOf(k JobKey) iter.Seq[*Fire] {
	return scan[Fire](v, tableFires, indexID, jobKey(k))
}

func (v *View) run(id string) *Run { return get[Run](v, tableRuns, text(id)) }

func (v *View) runsOf(k JobKey) iter.Seq[*Run] { return scan[Run](v, tableRuns, byJob, jobKey(k)) }

func (v *View) activeRuns(k JobKey) iter.Seq[*Run] {
	return scan[Run](v, tableRuns, byActive, jobKey(k))
}

func (v *View) hasActiveRuns(k JobKey) bool {
	for range v.activeRuns(k) {
		return true
	}
	return false
}

func (v *View) runActive(id string) bool {
	r := v.run(id)
	return r != nil && !r.State.Ended()
}

func (v *View) task(run, name string) *RunTask {
	return get[RunTask](v, tableTasks, taskKey(run, name))
}

func (v *View) tasksOf(run string) iter.Seq[*RunTask] {
	return scan[RunTask](v, tableTasks, indexID, text(run))
}

func (v *View) shard(run, task string, i int) *Shard {
	return get[Shard](v, tableShards, shardKey(run, task, i))
}

func (v *View) shardsOf(run string) iter.Seq[*Shard] {
	return scan[Shard](v, tableShards, indexID, text(run))
}

func (v *View) shardsOfTask(run, task string) iter.Seq[*Shard] {
	return scan[Shard](v, tableShards, indexID, taskKey(run, task))
}

func (v *View) heldBy(node string) iter.Seq[*Shard] {
	return scan[Shard](v, tableShards, byNode, text(node))
}

func (v *View) node(id string) *Node { return get[Node](v, tableNodes, text(id)) }

func (v *View) nodes() iter.Seq[*Node] { return scan[Node](v, tableNodes, indexID, nil) }

func (v *View) pool(name string) *Pool { return get[Pool](v, tablePools, text(name)) }

func (v *View) stats(k JobKey) *JobStats { return get[JobStats](v, tableStats, jobKey(k)) }

// settings returns the cluster's row; it is never nil.
func (v *View) settings() *Settings {
	if s := get[Settings](v, tableSettings, text("settings")); s != nil {
		return s
	}
	return &Settings{Format: BaseFormat}
}

// specOf returns the content of the job as of the version that an active run was
// made of: it is kept for as long as the run is active.
func (v *View) specOf(r *Run) *JobSpec { return v.version(r.JobKey(), r.Version).Spec() }

// historyOf returns the history bounds of the job's current version.
func (v *View) historyOf(k JobKey) History {
	if job := v.job(k); job != nil {
		return v.version(k, job.Version).History()
	}
	return History{}
}
