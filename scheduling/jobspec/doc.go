// Package jobspec reads job files: HCL text in, []fsm.JobSpec out, and every
// problem as an HCL diagnostic with its file, line and column.
//
// What it promises:
//
//   - All or nothing. Decode returns every job of every source, or no job and at
//     least one error.
//   - What it returns can be applied: names, graphs and limits have passed
//     fsm.JobSpec.Validate, and every schedule has passed cron.Compile, which is
//     the code that later fires it.
//   - Nothing in a file is ignored. An unknown name is refused with a suggestion.
//     A name that belongs to rota's language but is not in this version is
//     refused by name (see notyet.go), never skipped.
//   - Any input is safe, whoever wrote it. Sizes, nesting, numbers and the count
//     of problems are bounded before the text reaches the HCL parser, which
//     recurses. What expressions do is counted while they do it, and refused
//     beyond a limit: loops within loops and values that double end in an error
//     after a second or two. A panic in the HCL library becomes a diagnostic.
//   - A file means the same everywhere and always: no function reads the clock,
//     files or the environment. Values from outside come through Options.Inputs.
//
// A file goes through these stages; one that fails a stage with an error does not
// reach the next, while the other files go on, so that one call finds as many
// problems as it can:
//
//	limits -> lexical guard -> HCL syntax -> variables -> local values
//	-> blocks and attributes -> validation
//
// What is known only when a job runs (run.id, shard.start, params.x) cannot be
// evaluated. Such references stay in the texts of the spec, as "${run.id}", and
// the node that starts an attempt fills them in; a literal "${" stands there as
// "$${".
//
// Values that a file leaves out stay zero in the spec, where zero means the
// default; only the namespace and the driver are filled in. An attribute whose
// zero value would be mistaken for the default refuses zero.
//
// The package keeps no state and starts no goroutine. Its functions may be
// called concurrently.
package jobspec
