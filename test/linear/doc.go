// Package linear checks that the API's jobs are linearizable: every answer is one
// that a single machine could have given, which does one call after another, each
// at some instant between its begin and its end.
//
// Several clients apply, pause, resume, delete and read the same few jobs at once
// ([Client]), reading with ?consistent. What they asked and were told is a
// [History]; [History.Check] searches, with porcupine, an order of the calls that
// explains all the answers. A call whose answer never came may have taken effect at
// any later instant, or not at all.
//
// The simulator (test/sim), the tests with real processes (test/e2e) and every
// scenario of the chaos suite (test/chaos) run the same clients while leaders die,
// disks hang and networks break.
package linear
