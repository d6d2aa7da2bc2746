// Package notifier delivers what jobs tell: it takes notifications out of the
// replicated queue, posts or runs them, and says in the log what came of it.
//
// # What it promises
//
// At least once: a notification leaves the queue only by an entry that is written
// after the receiver has taken it, or after the tries have ended. A leader that
// dies in between leaves it to the next, which sends it again, with the same event
// ID. The order is that of the instants at which the tries are due, and no more
// than that.
//
// Nobody waits for it: it only reads the store and proposes. Queueing is done by
// Apply, whose cost does not depend on receivers.
//
// # States of a notification
//
//	pending -> delivered (and forgotten)
//	   |  ^
//	   |  `-- a try failed: pending again, until its next instant
//	   |----> failed: the tries have ended
//	   `----> dropped: the queue was full, by Apply
//
// # What happens when things fail
//
// A try fails when the receiver answers anything but 2xx, does not answer in time,
// cannot be reached, or when the command does not exit with 0. The next one is due
// after a pause that doubles from one second to ten minutes, less up to a quarter
// at random; a day after the event it is the last. A receiver that answers 429 or 503
// with Retry-After is left alone for as long as it asks, ten minutes at most. What
// cannot be recorded is recorded again, and meanwhile nothing new is begun.
//
// # Bounds
//
// 64 tries are under way at a time, 8 of them to one host, 4 to one receiver, and
// one to a receiver whose last try failed, so that those that hang leave room for
// the others. Of commands, 4 run at a time, one of each job. A request follows no
// redirect, uses no proxy of the environment, and of its answer 4 KiB are read.
//
// # Concurrency
//
// One Run at a time. It owns every goroutine that it starts.
package notifier
