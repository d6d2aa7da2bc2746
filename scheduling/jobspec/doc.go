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
//     recurses, and expressions are limited to forms whose evaluation is linear
//     in their length. A panic in the HCL library becomes a diagnostic.
//
// A file goes through these stages; one that fails a stage with an error does not
// reach the next, while the other files go on, so that one call finds as many
// problems as it can:
//
//	limits -> lexical guard -> HCL syntax -> blocks and attributes -> validation
//
// Values that a file leaves out stay zero in the spec, where zero means the
// default; only the namespace and the driver are filled in. An attribute whose
// zero value would be mistaken for the default refuses zero.
//
// The package keeps no state and starts no goroutine. Its functions may be
// called concurrently.
package jobspec
