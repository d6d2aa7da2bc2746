// Package proc starts the processes of attempts, holds them, and kills them.
//
// It is the half of the executor that outlives an agent: it knows argv, files
// and deadlines, and nothing of jobs, leases or the log. Callers reach it
// through [Processes], whose arguments and answers are plain data, so that the
// same calls can cross a socket. [Manager] is the implementation that runs in
// the caller's own process. Linux only, 5.4 or later.
//
// # States
//
//	          refused: nothing started, the caller may decide again
//	        /
//	Start --> starting --> running --> ended --> forgotten
//	                \                   ^
//	                 `-- start_failed --'
//	Decline --> declined --> forgotten
//
// A start is refused (an error of errors.go) or it has a [Result], never both.
// A program that does not exist is a result; an ID seen before, an expiry that
// has passed, or a kernel out of processes is a refusal. An ID stays known
// until it is forgotten, which the caller does once its own log has the result.
//
// # Starting
//
// A start is checked against its expiry when it is asked for, again on the
// thread that forks, right before the fork, and once more after the exec: an
// exec confirmed after the expiry is killed at once. Between the last check
// and the exec nothing is checked; a process held up exactly there and thawed
// later starts its program late and kills it then.
//
// Before the fork a start record goes to the journal with one write and no
// fsync. The record survives the death of this process, not a power failure:
// after a reboot, attempts without a record may have started. An fsync for
// every start would cost more than the start.
//
// Nobody waits for a start: its goroutine ends when it is equipped, the thread that
// forks answers, and from then on one goroutine waits for the ends of all attempts.
// An attempt gets a goroutine of its own when it is to be killed, prints something or
// leaves something behind.
//
// An exec on a file system that has gone away would hang, and with it every
// goroutine here; so program and folder are looked at first, by a goroutine that
// may hang alone. At the expiry such a start is refused.
//
// # Killing
//
// Each attempt has its own session and process group and a marker in its
// environment (ROTA_MARK). Killing is SIGTERM (and SIGCONT) to
// everything of the attempt, the grace, then SIGKILL until nothing is left.
// Everything means: the session, all descendants, and daemons that left both
// by a double fork. Those are adopted by this process (it makes itself a
// subreaper) and told apart by session or marker. When the main process ends,
// what it left behind is killed the same way before the result is given, as a
// systemd service with KillMode=control-group does, because an attempt that
// has ended must have no live process. A daemon that detaches from its session
// and also erases its environment, and whose parents are gone before anyone
// looks, is known only to the attempt's control group (package cgroup). Every
// attempt has one where the host allows it; see [Manager.Capabilities]. Where it
// does not, that daemon escapes until Close. Both ways of looking are used: root
// may move a process out of its control group, but not out of its descent.
//
// The parent-death signal kills the main processes should this process die.
// It follows the thread that forked, so forks run on threads that live as long
// as the Manager. The kernel clears it for set-uid programs. What is left then
// is killed by the next [New] on the same directory, before it takes work.
//
// Once contact has lapsed (the newest contact plus Options.StopAfter has
// passed) every attempt that was started under contact is killed, and stays
// condemned even if contact returns.
//
// # Limits and users
//
// CPU, memory and processes are limited for everything of an attempt together,
// by its control group; it is in it before its program runs. A limit that the
// host cannot keep is a start failure, never an attempt without the limit. The
// kernel ends whom it likes of an attempt that needs more memory than it may
// have: if the attempt then fails, its result says so (Result.OOM).
//
// An attempt may run as another user: with the groups the host gives that user,
// none of our capabilities, and a HOME, LOGNAME, SHELL and USER of its own, also
// over those of the request. Its output files stay ours.
//
// # Isolation
//
// A request may ask for a namespace of pids (package pidns). What is forked is
// then an init of ours, which starts the program in the same way; its words take
// the place of the exec's confirmation and of the main process's end. SIGTERM goes
// to the init, which passes it on to all, and SIGKILL ends the init and with it
// all. That no process is left when the init is over is the kernel's promise, and
// nothing of the above needs to be looked for. It is not the default: jobs on real
// machines need the host's pids, and it costs a second exec.
//
// # Output
//
// Stdout and stderr are pipes, copied here into files. Handing the files
// themselves to the program would cost less for a program that prints a lot,
// but then nothing holds the program to a cap between two looks: a gigabyte a
// second is a hundred megabytes in a tenth of a second, for every such
// program, and a file cannot be rotated under a writer. A pipe bounds the disk
// at every instant, costs a program that prints nothing no file at all (most
// short jobs; a pipe is cheaper than creating an inode), and needs this process
// alive, which it is as long as the program is.
//
// A stream is stored as segments named by the offset of their first byte. When
// an attempt's segments reach its limit, the oldest segment of the stream that
// holds more goes before a new one is made: the last bytes are kept, a chatty
// stdout does not push out the stderr, and the total never passes the limit.
// No line of ours is put between the program's bytes: a reader sees from the
// offsets what is missing. Past the limit a stream is copied at no more than
// 64 MiB/s, and all such streams together at no more than 128 MiB/s, after which
// the program waits on its own pipe and nobody else
// does. When a file cannot be written (disk full) the program goes on, the
// tail is still kept, and the result says why the output is short.
//
// # Failures
//
//   - This process dies: the kernel kills the main processes, the next New
//     kills the rest and lists them as killed, reason "restarted". Results that
//     were not forgotten are listed again.
//   - The journal cannot be written: starts are refused, what runs goes on,
//     results live in memory and are lost if this process dies too.
//   - A process cannot be killed (uninterruptible sleep): its attempt stays
//     listed as running; Close gives up when its time is over and says which.
//
// # Rules for the process around a Manager
//
// One Manager per process. It makes the process a child subreaper for good and
// reaps the orphans it adopts, by pid, so that os/exec elsewhere in the process
// keeps its own children. Those must stay in this process's session: nothing
// else here may start children with Setsid.
package proc
