// Package failpoints kills agents at each place between the decision to start an
// attempt and the moment in which everybody knows how it ended, and goes by what
// the jobs' own processes wrote: no attempt started twice, no fire without its
// outcome.
package failpoints
