// Package supervisor keeps an agent alive beside its jobs.
//
// `rota agent` is two processes. The supervisor, this package's [Run], is small:
// it is the parent of every job process, holds them through a proc.Manager, and
// starts the agent proper as its child. The agent reaches the jobs through a
// [Client], which implements proc.Processes over an inherited socket. So an
// agent may crash or be replaced by a newer one, and no job notices.
//
// # States of an agent, as its supervisor sees it
//
//	          crashed: again, at once or after a pause
//	        /
//	started --> ready --> handing over --> the program on disk is started
//	   |          |
//	   |           `-----> stopping -----> every job ended, Run returns
//	    `-> refused: Run returns with the same exit status, once no job runs
//
// An agent that ends unasked is started again, at once the first time and after
// 100 ms to 5 s when it keeps ending within 30 s. It refuses to run by the exit
// statuses [StatusUsage] and [StatusRefused], or by failing before any agent of
// this supervisor was ready: trying again would not help then.
//
// # The protocol
//
// Frames on a stream socket: four bytes of length, big endian, then a JSON
// object. The agent asks, with an id; the supervisor answers with the same id,
// in any order, and sends notices: an attempt has ended, stop, hand over. The
// first request is "hello", with the versions of both sides.
//
// A supervisor lives longer than the agents under it, so a newer agent meets an
// older supervisor. Fields that one side does not know are ignored, requests it
// does not know are answered with [ErrUnsupported], and an agent that needs more
// than the supervisor can do says so and refuses to run ([ErrTooOld]).
//
// Every agent has a socket of its own. When it ends, whatever it has sent and
// nobody has read goes with the socket; requests being handled are finished
// before the next agent is started, so that its list of attempts is complete.
//
// # Bounds
//
// A frame, the requests handled at one time and the notices waiting for a reader
// are bounded. An agent that does not read holds up its own requests and nothing
// else. Results that found no room are not sent: the client is told that it
// missed something, and lists.
//
// # What happens when things fail
//
//   - The agent dies, hangs or is stopped by a signal: the jobs go on until
//     contact lapses, which the Manager here sees to with or without an agent.
//   - The supervisor dies: the kernel kills the agent and the jobs (parent-death
//     signal), and the agent ends itself when the socket closes. The next
//     supervisor kills what is left before it starts an agent.
//   - Bytes on the socket that are no frame: the socket is closed, so that agent
//     ends, and the next one is started.
//   - A stop that takes too long: the agent is killed, then the jobs are ended
//     here. A second signal to stop does both at once.
package supervisor
