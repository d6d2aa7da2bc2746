// Package httpcall makes the HTTP requests of tasks whose driver is "http".
//
// A [Client] is made once; [Client.Do] makes one request and returns a [Result],
// whatever happens. It does not repeat anything: that is the business of the
// task's retry rules. A request can only succeed by an answer whose status is an
// expected one and whose body ended or filled the part that is read.
//
// # States
//
//	             succeeded: an expected status
//	           /
//	request --+-- failed: another status, no answer, too many redirects
//	           \
//	            `- timeout, cancelled, start_failed (never sent)
//
// # Bounds
//
// 64 KiB of a body are read, the last 4 KiB of those are kept. Redirects are
// followed 5 times: 301, 302 and 303 turn into a GET without a body, 307 and 308
// repeat method and body. To another host, port or scheme a redirect takes
// along only headers that cannot be keys, such as Content-Type. At most 64
// connections to a host are open, a call beyond that waits for one; they are
// reused, and closed when idle. No cookies, no proxy from the environment, TLS with the host's
// certificates.
//
// # What it cannot do
//
// The request is made by the agent itself, not by the process that outlives it,
// and it leaves the host: nothing here can take it back. An agent that dies does
// not know whether the other side acted, and neither does one whose request was
// cut off by a timeout, a cancellation or a lost lease. So such an attempt may
// have run, and one that follows may be the second. Let the other side tell
// repeats by the fencing token, which a task can send in a header.
package httpcall
