package membership

import "errors"

var (
	// ErrIdentityLost: the data directory holds state of a node, but the file
	// that says which node (or which life of it) is gone.
	ErrIdentityLost = errors.New("the node's identity is lost")
	// ErrIdentityCorrupt: an identity file is there and cannot be understood.
	ErrIdentityCorrupt = errors.New("the node's identity is corrupt")
	// ErrInvalidConfig: a Config cannot work; the text names the field.
	ErrInvalidConfig = errors.New("invalid membership configuration")
	// ErrMetaTooLarge: what a node says of itself does not fit into gossip.
	ErrMetaTooLarge = errors.New("node metadata is too large")
	// ErrMetaInvalid: a peer announced metadata that is not ours.
	ErrMetaInvalid = errors.New("invalid node metadata")
	// ErrShutdown: the Gossip has been shut down.
	ErrShutdown = errors.New("membership is shut down")
	// ErrBootstrapExpectMismatch: live members disagree on --bootstrap-expect.
	ErrBootstrapExpectMismatch = errors.New("members disagree on --bootstrap-expect")

	// errNotInConfiguration: autopilot wanted to promote a removed server.
	errNotInConfiguration = errors.New("the server is not in the raft configuration, or under another address")
	// errNoContact: a node that has never heard a leader has nothing to report.
	errNoContact = errors.New("no contact with a leader yet")
)
