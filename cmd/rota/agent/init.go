package agent

import "github.com/rota-scheduler/rota/scheduling/executor/proc/pidns"

// IsInit says whether this process is to be the init of an isolated job, for which
// the supervisor starts the program a second time.
func IsInit(args []string) bool { return pidns.Wanted(args) }

// Init is that init. It returns the status to exit with.
func Init() int { return pidns.Main() }
