package proc

import (
	"fmt"

	"github.com/rota-scheduler/rota/scheduling/executor/proc/cgroup"
)

// Capabilities are what this host can limit and track, see package cgroup.
type Capabilities = cgroup.Capabilities

// Capabilities says what this host can limit and track. It does not change
// during the life of a Manager.
func (m *Manager) Capabilities() Capabilities { return m.groups.Capabilities() }

// limits of a request, in the words of the package that enforces them.
func (r *StartRequest) limits() cgroup.Limits {
	return cgroup.Limits{CPU: r.CPU, Memory: r.Memory, Pids: r.Pids}
}

// group makes the attempt's control group. An error is the text of a start
// failure: limits cannot be kept. Without limits an attempt runs all the same.
func (m *Manager) group(req *StartRequest) (*cgroup.Group, error) {
	limits := req.limits()
	g, err := m.groups.New(req.ID, limits)
	if err != nil && limits.None() {
		m.log.Warn("attempt runs without a control group", "attempt", req.ID, "error", err)
		return nil, nil
	}
	return g, err
}

// tell adds what limits have done to the result of an attempt that failed.
func (r *Result) tell(v cgroup.Verdict, l cgroup.Limits) {
	if r.Outcome == Succeeded {
		return
	}
	if v.OOM {
		r.OOM = true
		what := "a process was killed"
		if r.Signal == "SIGKILL" {
			what = "killed"
		}
		r.addError(fmt.Sprintf("%s: out of memory (limit %s)", what, bytesText(l.Memory)))
	}
	if v.PidsRefused {
		r.addError(fmt.Sprintf("a fork was refused: too many processes (limit %d)", l.Pids))
	}
}

func (r *Result) addError(text string) {
	if r.Error != "" {
		r.Error += "; "
	}
	r.Error += text
}

// bytesText writes a size in the largest unit that divides it.
func bytesText(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for n != 0 && n%1024 == 0 && i < len(units)-1 {
		n /= 1024
		i++
	}
	return fmt.Sprintf("%d %s", n, units[i])
}
