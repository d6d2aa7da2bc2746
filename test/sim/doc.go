// Package sim runs real agents in one process, in virtual time: inside a
// testing/synctest bubble, on a network, disks and processes made of memory.
// Hours pass in seconds, and every fault is exact.
//
// Real are the agents with everything in them: raft, gossip, HTTP, the leader's
// loops, the executor. Made up are TCP and UDP (package memnet for gossip, the
// Network of this package for streams), raft's stores, the wall clocks, and the
// supervisor with its processes. The made-up supervisor keeps the rules of the
// real one: it refuses a repeated or expired start, keeps results until they are
// forgotten, kills at stop_after, and outlives its agent.
//
// What counts in the end is not the scheduler's word but the [Recorder]'s: each
// start of a process, with its true time.
package sim
