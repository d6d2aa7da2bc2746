// Package membership knows who is in the cluster and keeps the Raft
// configuration in step with it. It has two halves.
//
// # Gossip
//
// [Gossip] wraps memberlist: it finds the peers, notices when they fail or
// leave, and spreads what each node says of itself ([Attributes]). A node's
// identity is the UUID in its data directory ([LoadIdentity]); its name is for
// people. A member is in one of these states, as this node sees it:
//
//	          joins                    says good-bye
//	(unknown) -----> alive -------------------------> left
//	                 |  ^                              |
//	    no answer    |  | answers again                | joins again
//	                 v  |                              v
//	               failed                            alive
//
//	failed or left, and a live member has its name or raft address: replaced
//
// Gossip is a hint, never a decision: it does not choose leaders, and "failed"
// does not mean that the node's processes are dead. memberlist keeps its
// suspicions to itself, so there is no "suspect" here.
//
// # Raft configuration
//
// [DecideBootstrap] tells a fresh node when the cluster may be founded, and
// [Reconciler], on the leader, adds members as non-voters, lets autopilot
// promote the stable ones (at most five vote), and removes those that left,
// were replaced, or have been dead for long.
//
// # When things fail
//
// A peer that cannot be reached is tried again for ever with a capped backoff;
// after a partition the two sides find each other through the join list and
// through the addresses of members that failed. Two live nodes with one name
// are an error in the log of both, and the newcomer is kept out of Raft until
// one of them goes. A wiped node comes back under a new UUID: its old identity
// is removed, so it never votes under a promise that it has forgotten. A lost
// or damaged identity is an error that says what to do, never a silent new one.
package membership
