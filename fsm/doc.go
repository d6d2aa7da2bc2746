// Package fsm is rota's replicated state: the types, the commands that change
// them, and the store that every node builds by applying the same log.
//
// # What it promises
//
// Apply is deterministic. It reads no clock, draws no random number, does no
// I/O and starts no goroutine: the proposer puts times and identities into the
// command. At equal applied index the state of every node hashes equal (see
// [Store.Hash]), also across a snapshot and its restore.
//
// Every command is safe to repeat and to arrive late. A fire carries its key
// (job, instant), a placement the attempt number it was decided for, a report
// the attempt and the incarnation it speaks of. Apply refuses what does not fit
// the state; the refusal is the command's answer and changes nothing.
//
// # States
//
// A [Shard] is the thing that is placed and run:
//
//	waiting -> pending -> armed -> running -> succeeded | failed | cancelled
//	              ^         |         |
//	              |         v         |
//	              |     retracting    |
//	              +---------+---------+   (never started, moved, lost)
//
// A run that a schedule made is opened by one shard, its gate: the first shard
// of its first root task. Only the gate carries the instant, the start deadline
// and the overlap condition, so that one node alone decides whether the run
// starts, is skipped or is missed. The other shards wait until the gate is
// known to have started.
//
// A task's shards are put up as earlier ones end, so that no entry costs much more
// for ten thousand than for a few. A run that failed may be taken up again
// ([RetryRun]): its shards stay, and their attempts count on.
//
// # What happens when things fail
//
// A command that cannot be decoded, or whose opcode is unknown and not marked
// ignorable, stops the node: a replica that skipped an entry would differ from
// the others for ever. A refused command (see the sentinels in errors.go) is an
// ordinary answer. A snapshot is read from an immutable view of the store while
// Apply goes on.
//
// # Concurrency
//
// Raft calls Apply and Restore from one goroutine. Everything that reads
// ([Store.Read], [View]) may be called from any goroutine at any time, and sees
// one consistent state.
package fsm
