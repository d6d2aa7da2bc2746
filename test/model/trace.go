package model

import (
	"fmt"
	"strings"
)

// stepText tells a step, or the time that has come.
func stepText(a *Action, next *State) string {
	if a.Kind == tick {
		return fmt.Sprintf("t=%d", next.Now)
	}
	return "    " + a.String()
}

// trace tells the way to a state and one of its steps.
func (f *search) trace(number uint32, step int) []string {
	way := []uint16{uint16(step)}
	for i := number; i != 0; i = f.parents[i].state {
		way = append(way, f.parents[i].step)
	}
	s := f.initial()
	lines := []string{fmt.Sprintf("t=%d", s.Now)}
	for i := len(way) - 1; i >= 0; i-- {
		var next State
		n := -1
		f.Steps(&s, func(a *Action, after *State) {
			if n++; n == int(way[i]) {
				next = *after
				lines = append(lines, stepText(a, after))
			}
		})
		s = next
	}
	return append(lines, s.String())
}

// String shows what matters of a state, a line for each run and executor.
func (s *State) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  = leader %s, deposed %s, log %d, started %s, paused %d\n",
		nodeName(s.Leader), nodeName(s.Deposed), s.Head, setText(s.Started), s.Log.Paused)
	for i := range s.Log.Shards {
		if v := &s.Log.Shards[i]; v.State != absent {
			fmt.Fprintf(&b, "  = %s: %s, attempt %d%s\n", shardName(uint8(i)), v.State, v.Attempt, v.details())
		}
	}
	for x := range s.Exec {
		e := &s.Exec[x]
		fmt.Fprintf(&b, "  = %s: agent %d (life %d), supervisor %d, frozen %d, lease from %d, contact %d, applied %d of floor %d;",
			nodeName(uint8(x)), e.AgentUp, e.Life, e.SupervisorUp, e.Frozen, e.LeaseBase, e.Contact, e.Applied, e.LeaseFloor)
		for i, l := range e.Local {
			if l.State != unknown {
				fmt.Fprintf(&b, " %s %s (attempt %d)", shardName(uint8(i)), l.State, l.Attempt)
			}
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (v *Shard) details() string {
	var b strings.Builder
	if v.State.held() {
		fmt.Fprintf(&b, " on %s (life %d)", nodeName(v.Node), v.Life)
	}
	if v.Condition != 0 {
		fmt.Fprintf(&b, ", after %s", setText(v.Condition))
	}
	if v.Cancelling == 1 {
		b.WriteString(", cancelling")
	}
	if v.Maybe == 1 && v.Known == 0 {
		b.WriteString(", may have started")
	}
	return b.String()
}

func setText(set uint8) string {
	var names []string
	for r := range runs {
		if set&bit(r) != 0 {
			names = append(names, fmt.Sprint(r))
		}
	}
	return "{" + strings.Join(names, " ") + "}"
}
