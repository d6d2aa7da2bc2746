// Package failpoint names places in the program where a test may kill it. A
// build with the tag failpoints has them; in any other build they cost nothing.
//
// The environment variable ROTA_FAILPOINT names a file. The process that first
// comes to the point whose name the file holds removes the file and ends itself
// with SIGKILL, so that the file's end tells that the kill has happened.
package failpoint

// The points, in the order in which an attempt passes them.
const (
	StartDecided  = "start-decided"  // decided, not sent to the supervisor
	StartSent     = "start-sent"     // sent, not answered
	StartAnswered = "start-answered" // answered, not reported
	Ended         = "ended"          // its result has arrived, not reported
	ReportDecided = "report-decided" // about to be reported
	ReportSent    = "report-sent"    // with the leader, not in the log
	ReportLogged  = "report-logged"  // in the log; the agent does not know it
	ForgetDecided = "forget-decided" // the log has it, the supervisor still too
	Forgotten     = "forgotten"      // gone from the supervisor
	DeclineSent   = "decline-sent"   // a decision not to start, not answered
	Declined      = "declined"       // kept by the supervisor, not reported
)

// All returns every point.
func All() []string {
	return []string{
		StartDecided, StartSent, StartAnswered, Ended, ReportDecided, ReportSent, ReportLogged,
		ForgetDecided, Forgotten, DeclineSent, Declined,
	}
}
