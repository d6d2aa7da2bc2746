package raftnode

import (
	"slices"
	"time"
)

// statsWindow is how many writes the percentiles look back on.
const statsWindow = 512

// Bucket counts the writes that took at most Le.
type Bucket struct {
	Le    time.Duration
	Count uint64
}

// bucketBounds span a good NVMe disk to a dying one.
var bucketBounds = [...]time.Duration{
	500 * time.Microsecond, time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond,
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond,
}

// syncsPerWrite: bbolt syncs the pages of a transaction, then the header that
// makes them valid. (It syncs once more when the file grows, every 16 MiB.)
const syncsPerWrite = 2

// Stats describes the store of a node. Durations of writes include the fsync.
type Stats struct {
	Writes   uint64
	Errors   uint64
	Total    time.Duration // sum of all writes
	Buckets  []Bucket      // cumulative, ascending
	Last     time.Duration
	P50, P99 time.Duration // over the last 512 writes
	Max      time.Duration // over the last 512 writes

	// Entries and Bytes count what was appended to the log: the data of commands,
	// without what raft and the store put around it.
	Entries, Bytes uint64
	// Syncs counts the calls of fdatasync for Writes.
	Syncs uint64
	// Sent counts raft's requests to other nodes.
	Sent Messages

	// SnapshotsWithoutProgress counts snapshots stored since the last entry
	// was. Three or more say that a leader sends snapshots in vain.
	SnapshotsWithoutProgress int

	StartupFsyncP99 time.Duration
	StallTimeout    time.Duration
	Timings         Timings
}

// writeTimes is guarded by the mutex of its owner.
type writeTimes struct {
	writes, errors uint64
	total, last    time.Duration
	counts         [len(bucketBounds)]uint64
	ring           [statsWindow]time.Duration
	filled         int
}

func (w *writeTimes) add(d time.Duration, failed bool) {
	w.ring[w.writes%statsWindow] = d
	w.filled = min(w.filled+1, statsWindow)
	w.writes++
	w.total += d
	w.last = d
	if failed {
		w.errors++
	}
	for i, le := range bucketBounds {
		if d <= le {
			w.counts[i]++
		}
	}
}

func (w *writeTimes) stats() Stats {
	s := Stats{Writes: w.writes, Errors: w.errors, Total: w.total, Last: w.last, Syncs: syncsPerWrite * (w.writes - w.errors)}
	for i, le := range bucketBounds {
		s.Buckets = append(s.Buckets, Bucket{Le: le, Count: w.counts[i]})
	}
	sorted := slices.Sorted(slices.Values(w.ring[:w.filled]))
	if len(sorted) > 0 {
		s.P50 = percentile(sorted, 50)
		s.P99 = percentile(sorted, 99)
		s.Max = sorted[len(sorted)-1]
	}
	return s
}

// percentile takes a sorted slice that is not empty, and rounds up: of twenty
// samples the 99th percentile is the slowest.
func percentile(sorted []time.Duration, p int) time.Duration {
	i := (len(sorted)*p + 99) / 100
	return sorted[max(i, 1)-1]
}
