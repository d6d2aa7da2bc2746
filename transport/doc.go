// Package transport moves bytes between nodes: raft's stream layer, the HTTP
// server, forwarding a request to another node, JSON calls from node to node,
// and the long-lived connection by which a node notices that a peer has died.
//
// It promises that everything is bounded (connections, bodies, time, retries),
// that everything it starts ends with the Close, Shutdown or context that it
// was given, and that a request which may have reached another node is never
// sent a second time unless repeating it is harmless.
//
// # What an error says
//
// A request to another node that fails is one of:
//
//	ErrNoLeader     nobody to send it to was known in time
//	ErrUnreachable  no connection came about: surely not delivered
//	ErrUnknownFate  it went out, and the connection ended before the answer
//	*APIError       the other node answered with an error
//
// # Trust
//
// Without TLS, whoever can reach the raft port and knows its preface can speak
// raft. The preface keeps out scanners and misdirected traffic, before raft's
// decoder sees a byte; it is no secret. That decoder allocates in steps, as
// bytes arrive, so that a message with a huge declared length costs its sender
// as much as its receiver; but it has no upper limit, and a well-formed message
// with a false content can stop the node. On a network that is not trusted,
// switch mutual TLS on.
package transport
