// Package cluster runs the real program for tests: agents as processes on
// loopback addresses, the command line, and jobs that write down when they ran.
//
// # What it promises
//
//   - The binary is built once for each test process ([Main]), or taken from
//     $ROTA_BIN.
//   - The agents of a cluster share one set of ports on addresses of their own
//     (127.0.0.31 and up), as machines do. A claim on a neighbouring port keeps
//     clusters of other test processes away while an agent is down.
//   - Everything that a test starts ends with it: by cleanup, and, should the
//     test process be killed, by the kernel (parent-death signal, from a thread
//     that lives as long as the cluster).
//   - Each agent's output goes to a file of bounded size; a failed test shows
//     the end of each.
//   - Nothing here sleeps: [Eventually] looks again and again until a condition
//     holds or its deadline passes.
//
// # Networks
//
// [OwnNetwork] runs one test, and [MainApart] a whole package, in a process with a
// network of its own. There [NewNetwork] makes a [Network]: a namespace for each
// node, and a switch between them that can cut, in one direction too, delay, lose
// and reorder ([netswitch]).
//
// # The record and the checker
//
// The scheduler's own word is no proof that something ran once. [Records] is a
// file outside of the data dirs to which the job's processes themselves append;
// [Check] compares it with the instants that were due and with the outcomes that
// the API lists. It looks for an instant without an outcome, or with two; a run
// without a start, or with two; a start without a run; an early start; and two
// attempts of a shard alive at one time.
//
// Methods of [Cluster] and [Node] may be called from several goroutines, except
// that a node's life (Start, Kill, Stop, Restart) has one caller at a time.
package cluster
