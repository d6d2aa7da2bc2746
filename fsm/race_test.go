//go:build race

package fsm

// slow: the race detector makes a random log several times as long, and finds
// nothing in the later half that it did not in the first.
const slow = true
