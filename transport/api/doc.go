// Package api holds the words of the HTTP API: what its requests and answers
// look like, its error codes, and a client for it.
//
// It is apart from the server so that the command line, and any other Go
// program, can talk to a cluster without linking the server. Types that the
// cluster replicates are those of package fsm; this package adds what an answer
// gathers around them.
//
// A [Client] may be used from many goroutines. It holds no state but idle
// connections. It never repeats a write whose fate is unknown; the error says so
// (CodeUnknownFate), and the caller decides.
package api
