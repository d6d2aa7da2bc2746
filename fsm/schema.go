package fsm

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/hashicorp/go-memdb"
)

// Tables of the store.
const (
	tableJobs     = "jobs"
	tableVersions = "versions"
	tableCursors  = "cursors"
	tableFires    = "fires"
	tableRuns     = "runs"
	tableTasks    = "tasks"
	tableShards   = "shards"
	tableNodes    = "nodes"
	tableStats    = "stats"
	tableSettings = "settings"
	tableFollows  = "follows"

	tableNotifications = "notifications"
	tableNotifyStats   = "notify_stats"
	tablePools         = "pools"
	tableScaling       = "scaling"
)

// Secondary indexes.
const (
	indexID = "id"
	// byJob lists a job's runs in the order in which they entered the log.
	byJob = "job"
	// byActive lists a job's runs that have not ended, in the order in which
	// they entered the log.
	byActive = "active"
	// byReplacing lists the runs that are to make an end of others when their
	// time comes.
	byReplacing = "replacing"
	// byDeadline orders the runs that may time out.
	byDeadline = "deadline"
	// byNode lists the shards that a node holds.
	byNode = "node"
	// byPending lists the shards that wait for a place, in the order of the line.
	byPending = "pending"
	// byDue orders the cursors by their next instant, and the pending
	// notifications by that of their next try.
	byDue = "due"
	// bySlow orders the runs that are to be noted as slow.
	bySlow = "slow"
	// byKept lists the notifications that have failed or were dropped.
	byKept = "kept"
)

// keyFunc returns an object's key in one index, or nil if it does not belong.
type keyFunc[T any] func(*T) []byte

// keyIndex lets memdb index a *T by a key that we build ourselves: no
// reflection, and partial indexes come for free.
type keyIndex[T any] struct{ key keyFunc[T] }

func (x keyIndex[T]) FromObject(obj any) (bool, []byte, error) {
	v, ok := obj.(*T)
	if !ok {
		return false, nil, fmt.Errorf("index of %T got %T", v, obj)
	}
	k := x.key(v)
	return k != nil, k, nil
}

func (x keyIndex[T]) FromArgs(args ...any) ([]byte, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("want one key, got %d arguments", len(args))
	}
	k, ok := args[0].([]byte)
	if !ok {
		return nil, fmt.Errorf("want a key, got %T", args[0])
	}
	return k, nil
}

func (x keyIndex[T]) PrefixFromArgs(args ...any) ([]byte, error) { return x.FromArgs(args...) }

// index makes a unique index; AllowMissing makes it partial.
func index[T any](name string, key keyFunc[T]) *memdb.IndexSchema {
	return &memdb.IndexSchema{Name: name, Unique: true, AllowMissing: name != indexID, Indexer: keyIndex[T]{key}}
}

// layout is a table of the schema, and which of its rows belong together.
type layout struct {
	*memdb.TableSchema
	// family names the rows that Apply looks at together, those of a job or of a
	// run, by the texts that the keys of the indexes byFamily begin with; nil if
	// there is no such thing.
	family   func(obj any) []byte
	texts    int
	byFamily []string
}

func tableOf(name string, indexes ...*memdb.IndexSchema) *layout {
	t := &memdb.TableSchema{Name: name, Indexes: map[string]*memdb.IndexSchema{}}
	for _, i := range indexes {
		t.Indexes[i.Name] = i
	}
	return &layout{TableSchema: t}
}

// ofJob says that the rows belong to jobs.
func ofJob[T any](l *layout, job func(*T) JobKey, indexes ...string) *layout {
	l.family, l.texts, l.byFamily = func(obj any) []byte { return jobKey(job(obj.(*T))) }, 2, indexes
	return l
}

// ofRun says that they belong to runs.
func ofRun[T any](l *layout, run func(*T) string, indexes ...string) *layout {
	l.family, l.texts, l.byFamily = func(obj any) []byte { return text(run(obj.(*T))) }, 1, indexes
	return l
}

// key returns an object's key in an index, or nil if it does not belong there.
func (l *layout) key(index string, obj any) []byte {
	ok, key, err := l.Indexes[index].Indexer.(memdb.SingleIndexer).FromObject(obj)
	must(err)
	if !ok {
		return nil
	}
	return key
}

func (l *layout) primary(obj any) []byte { return l.key(indexID, obj) }

// familyIn returns the family of what stands in an index behind a prefix, or nil
// if that is not one alone.
func (l *layout) familyIn(index string, prefix []byte) []byte {
	if l.family == nil || !slices.Contains(l.byFamily, index) {
		return nil
	}
	end := 0
	for range l.texts {
		n := bytes.IndexByte(prefix[end:], 0)
		if n < 0 {
			return nil
		}
		end += n + 1
	}
	return prefix[:end]
}

// must ends the program on what only a typo in this package can bring about: the
// schema and the keys are ours.
func must(err error) {
	if err != nil {
		panic("fsm: " + err.Error())
	}
}

// schema is what memdb is told of the layouts.
func schema() *memdb.DBSchema {
	s := &memdb.DBSchema{Tables: make(map[string]*memdb.TableSchema, len(layouts))}
	for _, l := range layouts {
		s.Tables[l.Name] = l.TableSchema
	}
	return s
}

var layouts = []*layout{
	tableOf(tableJobs, index(indexID, func(j *Job) []byte { return jobKey(j.Key()) })),
	ofJob(tableOf(tableVersions, index(indexID, func(v *JobVersion) []byte { return versionKey(v.JobKey(), v.Version) })),
		(*JobVersion).JobKey, indexID),
	ofJob(tableOf(tableCursors,
		index(indexID, func(c *Cursor) []byte { return cursorKey(c.JobKey(), c.Schedule) }),
		index(byDue, func(c *Cursor) []byte {
			if c.Next == 0 {
				return nil
			}
			return timed(c.Next, cursorKey(c.JobKey(), c.Schedule))
		})),
		(*Cursor).JobKey, indexID),
	ofJob(tableOf(tableFires, index(indexID, func(f *Fire) []byte { return fireKey(f.JobKey(), f.ScheduledAt) })),
		(*Fire).JobKey, indexID),
	ofJob(tableOf(tableRuns, runIndexes()...), (*Run).JobKey, byJob, byActive),
	ofRun(tableOf(tableTasks, index(indexID, func(t *RunTask) []byte { return taskKey(t.RunID, t.Name) })),
		func(t *RunTask) string { return t.RunID }, indexID),
	ofRun(tableOf(tableShards, shardIndexes()...), func(s *Shard) string { return s.RunID }, indexID),
	tableOf(tableNodes, index(indexID, func(n *Node) []byte { return text(n.ID) })),
	tableOf(tableStats, index(indexID, func(s *JobStats) []byte { return jobKey(JobKey{s.Namespace, s.Job}) })),
	tableOf(tableSettings, index(indexID, func(*Settings) []byte { return text("settings") })),
	tableOf(tablePools, index(indexID, func(p *Pool) []byte { return text(p.Name) })),
	tableOf(tableScaling, index(indexID, func(e *ScaleEvent) []byte { return number(e.Index) })),
	ofJob(tableOf(tableFollows, index(indexID, func(f *Follow) []byte { return followKey(f.Namespace, f.Upstream, f.Job) })),
		func(f *Follow) JobKey { return JobKey{f.Namespace, f.Upstream} }, indexID),
	ofJob(tableOf(tableNotifications, notificationIndexes()...), (*Notification).JobKey, byJob),
	tableOf(tableNotifyStats, index(indexID, func(*NotifyStats) []byte { return text("notifications") })),
}

func runIndexes() []*memdb.IndexSchema {
	return []*memdb.IndexSchema{
		index(indexID, func(r *Run) []byte { return text(r.ID) }),
		index(byJob, func(r *Run) []byte { return entered(r.JobKey(), r.CreateIndex, r.ID) }),
		index(byActive, func(r *Run) []byte {
			if r.State.Ended() {
				return nil
			}
			return entered(r.JobKey(), r.CreateIndex, r.ID)
		}),
		index(byReplacing, func(r *Run) []byte {
			if r.Overlap != OverlapReplace || r.Opened || r.State.Ended() || len(r.Condition) == 0 {
				return nil
			}
			return text(r.ID)
		}),
		index(byDeadline, func(r *Run) []byte {
			if r.Deadline == 0 || r.Cancelling || r.State.Ended() {
				return nil
			}
			return timed(r.Deadline, r.ID)
		}),
		index(bySlow, func(r *Run) []byte {
			if r.SlowAt == 0 || r.Slow || r.State.Ended() {
				return nil
			}
			return timed(r.SlowAt, r.ID)
		}),
	}
}

func shardIndexes() []*memdb.IndexSchema {
	return []*memdb.IndexSchema{
		index(indexID, func(s *Shard) []byte { return shardKey(s.RunID, s.Task, s.Index) }),
		index(byNode, func(s *Shard) []byte {
			if !s.State.Held() {
				return nil
			}
			return heldKey(s.Current.Node, shardKey(s.RunID, s.Task, s.Index))
		}),
		index(byPending, func(s *Shard) []byte {
			if s.State != ShardPending {
				return nil
			}
			return timed(s.Line, shardKey(s.RunID, s.Task, s.Index))
		}),
	}
}

// notificationIndexes orders all notifications by their numbers, and the pending
// ones also by job, by number and by the instant of their next try.
func notificationIndexes() []*memdb.IndexSchema {
	pending := func(key keyFunc[Notification]) keyFunc[Notification] {
		return func(n *Notification) []byte {
			if n.Status != NotificationPending {
				return nil
			}
			return key(n)
		}
	}
	return []*memdb.IndexSchema{
		index(indexID, func(n *Notification) []byte { return number(n.Seq) }),
		index(byPending, pending(func(n *Notification) []byte { return number(n.Seq) })),
		index(byJob, pending(func(n *Notification) []byte { return entered(n.JobKey(), n.Seq, "") })),
		index(byDue, pending(func(n *Notification) []byte { return timed(n.NextAt, number(n.Seq)) })),
		index(byKept, func(n *Notification) []byte {
			if n.Status == NotificationPending {
				return nil
			}
			return number(n.Seq)
		}),
	}
}
