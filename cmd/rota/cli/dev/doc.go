// Package dev is "rota dev": a whole cluster on one machine, to see and to try.
//
// It starts one agent process for each node on the loopback interface, with its
// data in a temporary folder, applies the given job files once there is a
// leader, and shows what happens: on a terminal as a table that repaints in
// place, in a pipe as a line for each change.
//
// # What it promises
//
//   - Nothing starts before every job file has been checked.
//   - An agent that dies is started again two seconds later, on the same ports
//     and data. One that keeps dying as soon as it is started, or dies before the
//     cluster has formed, ends the command with the end of that agent's log.
//   - However it ends, no agent is left behind: they get SIGTERM, five seconds,
//     then SIGKILL; and if rota dev itself is killed, the kernel sends them
//     SIGTERM, so that they end their jobs before themselves. The folder goes
//     too, unless --keep is given or rota dev is killed.
//   - The terminal is given back as it was.
//
// # Goroutines
//
// One spawner, locked to its thread, since the kernel ties a child's life to the
// thread that started it. One keeper for each node. One watcher of the cluster's
// state and one of its events, which go from node to node until one answers.
// They all send to the loop in [run], which alone owns the model and the display,
// and which returns when all of them have ended.
package dev
