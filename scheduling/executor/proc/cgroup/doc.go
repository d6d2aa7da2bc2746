// Package cgroup gives every attempt a control group of its own, where the host
// allows it: everything that an attempt starts stays in it, whatever it forks,
// erases or detaches from, so that it can be found, limited and killed.
//
// # What a host can do
//
// [Open] looks at what is mounted and writable and says so in [Capabilities].
// Two things are asked for separately:
//
//   - Tracking: one directory for each attempt. In a version 2 tree, controllers
//     or not, a process is born in its group (clone3) and a group is killed with
//     one write (Linux 5.14; before that by freezing it). Where no such tree can
//     be used it is a version 1 hierarchy, the freezer first.
//   - Limits: cpu, memory and pids, each from version 2 where its controller can
//     be enabled there, otherwise from version 1.
//
// So a host that has mounted its controllers as version 1 and an empty version
// 2 tree beside them has the better of both. A host with neither runs attempts
// without a group; limits are then refused ([ErrNoLimit]), never forgotten.
//
// # Where the groups are
//
// Below the group of this process, or, where that one holds other processes and
// this one may write there, below the root of the tree:
//
//	rota-<id>/plain/<number>      no controllers, used again when empty
//	rota-<id>/limited/<attempt>   version 2 with controllers
//	rota-<id>/<attempt>           version 1
//
// The id is random and kept in a file of the node's own directory together with
// the places where groups were made, so that two nodes on one host never touch
// each other's and the next life of a node finds its own. A version 2 group can
// have controllers below it only when it holds no processes itself: a process
// that is alone in its group moves itself to a leaf, "rota-supervisor".
//
// # Entering
//
// A process must be in its groups before it runs a line of its program. Version
// 2 does that by itself. Version 1 has no such thing: the thread that forks
// enters, forks (the child inherits the thread's groups, not the process's) and
// leaves. [Group.Enter] and [Group.Leave] must be called on that thread, locked.
//
// # When things fail
//
//   - A group cannot be made: without limits the attempt runs untracked and a
//     warning is logged; with limits it does not run.
//   - A group cannot be removed because something in it is still alive: it is
//     killed and removed later ([Tree.Retry]), at the latest by the next Open.
//   - A node is killed and never comes back: the next one to open in the same
//     group removes its directories, once they hold no process and nobody holds
//     their lock.
//   - A process with the right to do so moves itself to another group: it is out
//     of reach here. The caller's other means (session, descent) still see it.
package cgroup
