package model

// startManual makes a manual run. Fires that are armed but not started are asked
// back first, those that sit on no node come after it. If anything else is active,
// forbid refuses the run and the other policies put it behind all that is there.
func (m *Model) startManual(l *Log, run int) {
	v := &l.Shards[run]
	v.State = pending
	if m.Overlap == Allow {
		return
	}
	ahead := l.activeRuns() &^ bit(run)
	if m.Overlap != Forbid {
		v.Ahead = ahead
	}
	if l.anyBegun(m, ahead) {
		m.joinLine(l, run, ahead)
		return
	}
	for r := range runs {
		o := &l.Shards[r]
		if ahead&bit(r) == 0 {
			continue
		}
		if o.State == armed && m.on(AskBack) {
			o.State, o.Why = retracting, whyManual
			v.Condition |= bit(r)
			v.State = waiting
			continue
		}
		if o.State == armed {
			o.again()
		}
		o.Condition |= bit(run)
	}
}

// anyBegun says whether one of the runs may have begun, or is being asked back.
func (l *Log) anyBegun(m *Model, set uint8) bool {
	for r := range runs {
		v := &l.Shards[r]
		if set&bit(r) == 0 {
			continue
		}
		if m.isManual(r) || !v.State.active() || v.State == running || v.State == retracting || v.Maybe == 1 {
			return true
		}
	}
	return false
}

// joinLine is what a manual run does that cannot go first.
func (m *Model) joinLine(l *Log, run int, ahead uint8) {
	v := &l.Shards[run]
	if m.Overlap == Forbid {
		*v = Shard{State: refused}
		return
	}
	v.State, v.Condition = pending, ahead
	for r := range runs {
		o := &l.Shards[r]
		if ahead&bit(r) == 0 {
			continue
		}
		if m.on(OneLine) {
			o.Condition &^= bit(run) // nothing there before it waits for it
		} else if o.State == pending && o.Maybe == 0 {
			o.Condition |= bit(run)
		}
	}
}

// waitingFor returns the manual run that has asked this one back, or -1.
func (l *Log) waitingFor(run int) int {
	for r := range runs {
		if l.Shards[r].State == waiting && l.Shards[r].Condition&bit(run) != 0 {
			return r
		}
	}
	return -1
}

// tooLateForManual judges the manual run that had asked this one back: it has
// started, or may have.
func (m *Model) tooLateForManual(l *Log, run int) {
	if manual := l.waitingFor(run); run < runs && manual >= 0 {
		m.joinLine(l, manual, l.Shards[manual].Ahead&l.activeRuns())
	}
}

// freeManual tells the manual run that had asked this one back that it will not
// start; after the last it may be placed.
func (m *Model) freeManual(l *Log, run int) {
	if run >= runs {
		return
	}
	manual := l.waitingFor(run)
	if manual < 0 {
		return
	}
	v := &l.Shards[manual]
	v.Condition &^= bit(run)
	if v.Condition == 0 {
		v.State = pending
	}
}

// yield puts a fire that was asked back behind the manual run.
func (m *Model) yield(l *Log, run int) {
	if manual := l.waitingFor(run); manual >= 0 {
		l.Shards[run].Condition |= bit(manual)
	}
	m.freeManual(l, run)
}
