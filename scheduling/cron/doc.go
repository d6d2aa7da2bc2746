// Package cron holds every rule of time that rota has: what a schedule may
// say, and at which instants it is due. The scheduler, the validator of job
// files and the `rota cron` command all call this code, so what a person is
// shown is what fires.
//
// The package is pure: it reads no clock, starts no goroutine and keeps no
// state but a cache of loaded time zones. Everything is safe for concurrent
// use. An Expr and a Schedule never change once made.
//
// # Expressions
//
// Parse takes five fields (minute, hour, day of month, month, day of week),
// six with seconds first, or one of @hourly @daily @midnight @weekly @monthly
// @yearly @annually. A field is a list, by commas, of
//
//	a       one value            a-b     a range
//	*       every value          a-b/n   every n-th value of a range
//	*/n     every n-th value     a/n     every n-th value from a to the field's end
//
// Months and weekdays may be named (JAN-DEC, SUN-SAT, in any case); 0 and 7 are
// both Sunday. Days follow Vixie cron: when both day fields are restricted, a
// day that matches either is due; when one of them begins with "*" (so also
// "*/2"), a day must match both. An expression that can never be due, such as
// "0 0 30 2 *", is refused.
//
// # Daylight saving
//
// A schedule whose minute or hour field begins with "*" follows elapsed time:
// it is due whenever the wall clock shows a match, in both passes of a
// repeated hour, and never in an hour that the clock skips.
//
// Any other schedule is at a fixed time. Matches in a skipped period are due
// once, together, at the first instant after the gap (GapSkip drops them).
// Matches in a repeated period are due in its first pass (RepeatBoth: in both).
// A gap may be a whole day, as in Apia in 2011; the rule is the same. The rules
// apply to every change of a zone's offset, not only to daylight saving.
//
// # Schedules
//
// Compile makes a Schedule of an expression, of a period (`every`, whose
// instants are whole multiples of the period since the Unix epoch, so that any
// node at any time computes the same ones) or of a list of instants (`at`).
// Next walks it. Three rules join the rest:
//
//   - Jitter moves every instant of the schedule by the same amount, a hash of
//     the seed: the spacing stays, and so does the amount across restarts.
//   - NotBefore, NotAfter (both inclusive) and blackout windows judge the
//     instant after jitter, which is when the work would start.
//   - An instant inside a blackout window is still due, so Next returns it.
//     Blackout tells; the caller records such a fire as skipped. Silence would
//     leave nobody able to say what happened to it.
//
// # Bounds, and what happens when things fail
//
// Instants lie between 1970 and 2200; outside, a schedule is exhausted. No call
// scans instant by instant: Next costs about a microsecond, and at most tens of
// them where the next date is decades away; Between counts what it does not list
// by arithmetic. Next is checked at its exit: an instant that is not after the
// reference is never handed out, but reported as ErrStalled.
//
// Time zones come from the machine's zone database when it has one, otherwise
// from the copy in the binary. Nodes should run the same release of it: two
// leaders with different rules for a zone would compute different instants.
package cron
