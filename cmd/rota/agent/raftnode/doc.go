// Package raftnode runs one Raft node in a way that is safe to leave alone.
//
// It adds to the library what a cluster that nobody watches needs:
//
//   - The store is checked before it is used. A damaged file gives ErrCorrupt
//     with the path and the way out, never a panic; a second agent on the same
//     directory gives ErrLocked.
//   - Every log entry and every vote carries a checksum, so that a flipped bit
//     is found on reading instead of being applied.
//   - A disk that hangs or fails ends the process through Config.OnFatal. A
//     leader that is stuck in a write goes on sending heartbeats and would
//     otherwise keep its followers waiting for ever; and after a failed fsync
//     nobody knows what the disk holds, so nothing is written after one.
//   - Each gain of leadership is a Term: an epoch that only grows and a context
//     that ends with it, so that work begun in one term cannot act in another.
//   - Calls take a context. Their errors tell "surely not in the log"
//     (ErrNotApplied) from "nobody knows" (ErrUnknownFate).
//
// # States
//
//	Open ──► running ──► Shutdown ──► closed
//	            │
//	            └─ write failed, hung, or log diverged ──► failed: OnFatal, no more writes
//
// A failed node refuses every write. Its raft steps down if it led, and can
// neither vote nor acknowledge; the process is expected to end and to start
// again, which is also how it recovers.
//
// # When things fail
//
// A full disk is treated like any other failed write: the process ends with
// ErrNoSpace. Staying up would gain nothing, since a node that cannot store its
// vote can take no part, and raft keeps a wrong idea of its own last entry when
// a store fails between truncation and append. Open refuses with the same error
// until there is room, so the restart is what waits.
//
// A snapshot that arrives from the leader and contradicts the log makes raft
// download it again for ever. The node notices the contradiction when the
// snapshot is on disk and ends; Open then drops the log that the snapshot
// replaces.
//
// A leadership transfer that got stuck makes raft refuse every write, in this
// and in later terms. Apply notices that and ends the process.
//
// A peer that cannot be reached makes raft wait longer and longer before it sends
// entries again, up to 10 s. The transport holds such a failure back until the
// peer answers a heartbeat, so that one which is back gets entries at once.
//
// All methods of Node may be called from any goroutine.
package raftnode
