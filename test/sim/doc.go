// Package sim runs real agents in one process, in virtual time: inside a
// testing/synctest bubble, on a network, disks and processes made of memory.
// Hours pass in seconds, and every fault is exact.
//
// Real are the agents with everything in them: raft, gossip, HTTP, the leader's
// loops, the executor. Made up are TCP and UDP (package memnet for gossip, the
// Network of this package for streams), raft's stores, the wall clocks, and the
// supervisor with its processes. The made-up supervisor keeps the rules of the
// real one: it refuses a repeated or expired start, keeps results until they are
// forgotten, kills at stop_after, and outlives its agent. It can be frozen by itself,
// and when its machine loses its power, it forgets what was not synced (frozen.go).
//
// What counts in the end is not the scheduler's word but the [Recorder]'s: each
// start of a process, with its true time. Package check judges it.
//
// # Scenes and schedules
//
// A scene is a test of its own, with its faults at chosen instants. A [Schedule]
// is a list of steps, written one a line; [Play] plays it, ends every fault, gives
// the cluster the ten seconds that it has to recover, and has [check.Check] judge
// everything. [Generate] makes schedules of seeds: crashes of agents and of whole
// nodes, machines without power, freezes of agents and of supervisors, cuts in one or
// both directions, flapping and slow links, slow and hung disks, stepped clocks and
// transfers of the leadership (faults.go), while people apply, pause, resume, run,
// cancel, retry, delete and drain through the API of any node (generate.go).
//
// One that fails is printed with the few of its steps that it takes, and with what
// each node knew of the key. Once mended it stays in testdata/schedules. Steps have
// their exact virtual times, but within one instant goroutines take turns as they
// like, and raft's timeouts are random: a schedule that has failed may need a few
// plays to fail again.
package sim
