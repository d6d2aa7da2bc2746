// Package pidns runs a program in a namespace of pids of its own, so that the
// kernel itself ends everything that the program has started.
//
// # Two halves
//
// The first process of such a namespace is its init: when it ends, the kernel
// kills whatever else is there and waits until it is gone, no matter what it has
// forked, detached from or erased. A signal that an init does not handle does not
// reach it, so most programs would not hear a SIGTERM in its place. So a small one
// of ours, [Main], stands there: this same executable, told by its arguments
// ([Wanted]). It mounts a /proc that shows the namespace, starts the program as
// its child, passes signals on to everything in the namespace, and reaps.
//
// The other half is [Box], in the process that starts it. The order reaches the
// init as a sealed file in memory, and the init's words come back on a socket: that
// the program runs or cannot, and how it ended. An init cannot end by a signal
// of its own making, so its exit status could not tell a signal from a code.
//
//	Prepare --> (fork) --> Forked --> started --> ended --> (the init ends)
//	                             \--> failed, expired: nothing was started
//	                             \--> no word: the init was killed, and all with it
//
// # Who the init is
//
// It runs as the process that starts it does, and is in that one's control group:
// limits are for the program alone. The program has the user, umask, folder,
// environment and control group of the order, a session of its own, and none of
// the init's files. The init's environment holds nothing of the program's: what a
// loader would read there must not work on a process with more rights.
//
// Mounts that the program makes are gone with it, and nobody else sees them; those
// that the host makes meanwhile appear there too.
//
// # What it takes
//
// Root with CAP_SYS_ADMIN; or, for another user, a kernel that lets it make user
// namespaces. There the program keeps its own user, which is the only one it can
// see, so that programs like sudo do nothing.
//
// # When things fail
//
//   - The parent dies: the parent-death signal kills the init, and with it all. Where
//     that came before the signal was set, the init finds its socket closed, and
//     ends.
//   - The init is killed: all is dead, and the socket ends without a word.
//   - The init hangs, in the exec of a program on a file system that has gone away:
//     the parent kills it, which ends the exec if the kernel lets it.
package pidns
