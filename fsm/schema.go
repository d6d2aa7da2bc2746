package fsm

import (
	"encoding/binary"
	"fmt"

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

func tableOf(name string, indexes ...*memdb.IndexSchema) *memdb.TableSchema {
	t := &memdb.TableSchema{Name: name, Indexes: map[string]*memdb.IndexSchema{}}
	for _, i := range indexes {
		t.Indexes[i.Name] = i
	}
	return t
}

func schema() *memdb.DBSchema {
	s := &memdb.DBSchema{Tables: map[string]*memdb.TableSchema{}}
	for _, t := range []*memdb.TableSchema{
		tableOf(tableJobs, index(indexID, func(j *Job) []byte { return jobKey(j.Key()) })),
		tableOf(tableVersions, index(indexID, func(v *JobVersion) []byte {
			return versionKey(JobKey{v.Namespace, v.Name}, v.Version)
		})),
		tableOf(tableCursors,
			index(indexID, func(c *Cursor) []byte { return cursorKey(c.JobKey(), c.Schedule) }),
			index(byDue, func(c *Cursor) []byte {
				if c.Next == 0 {
					return nil
				}
				return timed(c.Next, cursorKey(c.JobKey(), c.Schedule))
			})),
		tableOf(tableFires, index(indexID, func(f *Fire) []byte { return fireKey(JobKey{f.Namespace, f.Job}, f.ScheduledAt) })),
		tableOf(tableRuns,
			index(indexID, func(r *Run) []byte { return text(r.ID) }),
			index(byJob, func(r *Run) []byte {
				return entered(r.JobKey(), r.CreateIndex, r.ID)
			}),
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
			})),
		tableOf(tableTasks, index(indexID, func(t *RunTask) []byte { return taskKey(t.RunID, t.Name) })),
		tableOf(tableShards,
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
			})),
		tableOf(tableNodes, index(indexID, func(n *Node) []byte { return text(n.ID) })),
		tableOf(tableStats, index(indexID, func(s *JobStats) []byte { return jobKey(JobKey{s.Namespace, s.Job}) })),
		tableOf(tableSettings, index(indexID, func(*Settings) []byte { return text("settings") })),
		tableOf(tablePools, index(indexID, func(p *Pool) []byte { return text(p.Name) })),
		tableOf(tableScaling, index(indexID, func(e *ScaleEvent) []byte { return number(e.Index) })),
		tableOf(tableFollows, index(indexID, func(f *Follow) []byte { return followKey(f.Namespace, f.Upstream, f.Job) })),
		tableOf(tableNotifications, notificationIndexes()...),
		tableOf(tableNotifyStats, index(indexID, func(*NotifyStats) []byte { return text("notifications") })),
	} {
		s.Tables[t.Name] = t
	}
	return s
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

// Keys are texts ended by a zero byte, which no name may contain, and big-endian
// numbers: they sort as their parts do, and a part is a prefix.

// The store holds every key for as long as its row: each is allocated once, at its
// size.

const numberSize = 8

func text(s string) []byte { return appendText(make([]byte, 0, len(s)+1), s) }

func appendText(b []byte, s string) []byte { return append(append(b, s...), 0) }

func number(n uint64) []byte { return appendNumber(make([]byte, 0, numberSize), n) }

func appendNumber(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

// timeNumber sorts times before 1970 first.
func timeNumber(t Time) uint64 { return uint64(t) ^ 1<<63 }

func timeKey(t Time) []byte { return number(timeNumber(t)) }

func jobKey(k JobKey) []byte { return textsKey(k.Namespace, k.Name, 0) }

// textsKey is two texts, and room for so much more.
func textsKey(a, b string, room int) []byte {
	return appendText(appendText(make([]byte, 0, len(a)+len(b)+2+room), a), b)
}

func versionKey(k JobKey, v uint64) []byte {
	return appendNumber(textsKey(k.Namespace, k.Name, numberSize), v)
}

func cursorKey(k JobKey, schedule int) []byte { return versionKey(k, uint64(schedule)) }

func fireKey(k JobKey, t Time) []byte { return versionKey(k, timeNumber(t)) }

func followKey(namespace, upstream, job string) []byte {
	return appendText(textsKey(namespace, upstream, len(job)+1), job)
}

func taskKey(run, task string) []byte { return textsKey(run, task, 0) }

func shardKey(run, task string, i int) []byte {
	return appendNumber(textsKey(run, task, numberSize), uint64(i))
}

// timed is a key behind an instant.
func timed[K string | []byte](t Time, key K) []byte {
	return append(appendNumber(make([]byte, 0, numberSize+len(key)), timeNumber(t)), key...)
}

// heldKey is a shard's key behind the node that holds it.
func heldKey(node string, shard []byte) []byte {
	return append(appendText(make([]byte, 0, len(node)+1+len(shard)), node), shard...)
}

// entered is the key of a job's row behind the index at which it entered the log.
func entered(k JobKey, index uint64, id string) []byte {
	return append(appendNumber(textsKey(k.Namespace, k.Name, numberSize+len(id)), index), id...)
}
