// Package httpapi is the HTTP API of a node, and its web page.
//
// # What it promises
//
// Any node answers any call. Reads are answered from the node's own replica;
// writes, and reads with ?consistent, are passed on to the leader. An answer to
// a write means that it is in the log of a majority. The node that passed it on
// waits a moment until its own replica shows it, so that a client of one node
// reads its own writes.
//
// Every answer has X-Rota-Node, the node that answered; answers of reads and
// writes have X-Rota-Index, the log index that they are at least as new as.
// Every answer that is not 2xx is an [api.Error]. One table (errors.go) says
// which status and code each failure has. What goes wrong inside stands in the
// node's log, never in an answer.
//
// # Waiting
//
// A GET with ?index=N&wait=30s answers when there is something newer than N, or
// when the time is up. Where it cannot be told whether what is asked for is
// newer (the index of the store has moved, but nothing dates the rows), it
// answers after a short pause: an answer may say again what is known, and never
// holds back news. Pause and delete answer when no start of the job is
// outstanding any more; a manual run that asked armed fires back when their
// nodes have agreed, or have refused.
//
// # Bounds
//
// Bodies: 16 MiB. Waiting requests, event streams and log streams are counted,
// and refused with 503 "busy" beyond their limit. A wait is at most 10 minutes.
// A listing is at most 10,000 rows. Clients that do not read are cut off.
//
// # What happens when things fail
//
// Without a leader, reads of the replica go on and writes answer 503. When the
// leader dies with a write in hand, the answer is 504 "unknown_fate"; repeating
// POST run with the same Idempotency-Key is safe, and every other write of the
// API is safe to repeat as it is. When the node that holds a log is gone, the
// replicated end of the output is served, marked by X-Rota-Log-Source: tail. A
// handler that panics costs its request a 500, and no other.
//
// # Concurrency
//
// An [API] is safe for concurrent use. It starts no goroutine that outlives a
// request.
package httpapi
