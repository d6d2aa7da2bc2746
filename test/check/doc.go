// Package check decides, from evidence alone, whether a cluster kept its
// promises. It does no I/O and reads no clock: the simulator, the tests with real
// processes and the chaos suite gather [Evidence], each in its own way, and hand
// it to [Check].
//
// # What counts
//
// The scheduler's own word is no proof. What the processes of jobs wrote about
// their own begin and end ([Process]) stands against the outcomes that the
// replicated ledger lists, against what the API answered ([Call]), and against
// the instants that were due ([Due]), which are computed from the time rules.
//
// # What it decides
//
//   - Every instant that was due has one outcome; what ran began, once, and what
//     was skipped did not (instants.go).
//   - Nothing begins early or past its deadline (instants.go).
//   - Attempts of a shard never live at the same time, none begins twice, fences
//     grow, and what the ledger says never started did not. Runs of a job that
//     runs one at a time do not overlap (together.go).
//   - What the API acknowledged is there at the end, and nothing starts for a job
//     after its pause or its deletion was acknowledged (history.go).
//   - Replicas that have applied the same log are equal (replicas.go).
//   - After the last fault the cluster recovers by itself (recovery.go).
//
// Evidence that is left out is not judged: a test that has no API history leaves
// Calls empty.
//
// # When something is wrong
//
// Each [Violation] names its kind and its key, and tells the story of that key:
// every event of the timeline that concerns it, in order, whichever node it
// happened on.
package check
