package model

// pause takes back every run that is not known to have started.
func (m *Model) pause(l *Log) {
	l.Paused = 1
	for r := range runs {
		v := &l.Shards[r]
		switch v.State {
		case absent:
			if r < m.Fires {
				v.State = skippedPaused
			}
		case waiting:
			*v = Shard{State: refused}
		case retracting:
			if v.Known == 0 {
				v.Why = whyPause
			}
		default:
			m.takeBack(l, r, whyPause, skippedPaused)
		}
	}
}

// takeBack asks a run that is not known to have started back, or ends it if no
// node holds it.
func (m *Model) takeBack(l *Log, run int, why Why, state ShardState) {
	v := &l.Shards[run]
	switch {
	case v.Known == 1:
	case v.State == armed && m.on(AskBack):
		v.State, v.Why = retracting, why
	case v.State == armed || v.State == pending:
		m.giveUp(l, run, state)
	}
}

// cancel ends what has not started of a run, asks armed attempts back, and has
// running ones killed by their nodes.
func (m *Model) cancel(l *Log, run int) {
	l.Shards[run].Cancelling = 1
	for i := range l.Shards {
		if runOf(i) != run {
			continue
		}
		v := &l.Shards[i]
		switch v.State {
		case pending:
			m.finish(l, i, cancelled)
		case waiting:
			*v = Shard{State: cancelled, Cancelling: 1}
		case armed:
			v.State, v.Why = retracting, whyCancel
		case running:
			v.Why = whyCancel
		}
		if v.State.held() && !m.on(CancelWaits) {
			m.finish(l, i, cancelled)
		}
	}
}

// replaceable says whether a run is active and nothing is on its way to end it.
func (l *Log) replaceable(run int) bool {
	v := &l.Shards[run]
	return l.active(run) && v.Cancelling == 0 && (v.Known == 1 || v.State != retracting)
}

// makeWay ends or takes back what a run that replaces others waits for.
func (m *Model) makeWay(l *Log, by int) {
	for r := range runs {
		if l.Shards[by].Condition&bit(r) == 0 || !l.replaceable(r) {
			continue
		}
		v := &l.Shards[r]
		if m.isManual(r) || v.Known == 1 || v.Maybe == 1 {
			m.cancel(l, r)
			continue
		}
		m.takeBack(l, r, whyReplace, skippedOverlap)
	}
}

// drain takes back what is armed on a node and has not started; it is placed
// elsewhere.
func (m *Model) drain(l *Log, node uint8) {
	l.Drained |= bit(node)
	for i := range l.Shards {
		v := &l.Shards[i]
		if v.State != armed || v.Node != node {
			continue
		}
		if m.on(AskBack) {
			v.State, v.Why = retracting, whyDrain
		} else {
			v.again()
		}
	}
}

// newVersion takes back the fires whose instant has not come: the new version
// decides them anew.
func (m *Model) newVersion(l *Log, now uint8) {
	for r := range m.Fires {
		v := &l.Shards[r]
		if v.Known == 1 || m.Due[r] <= now || !v.State.active() {
			continue
		}
		switch {
		case v.State == armed && m.on(AskBack), v.State == retracting && (v.Why == whyManual || v.Why == whyDrain):
			v.State, v.Why = retracting, whyVersion
		case v.State == armed || v.State == pending:
			m.withdraw(l, r)
		}
	}
}

// remove cancels every run of a job, and keeps it from making more.
func (m *Model) remove(l *Log) {
	l.Deleting = 1
	for r := range runs {
		switch {
		case l.active(r) && l.Shards[r].Cancelling == 0:
			m.cancel(l, r)
		case l.Shards[r].State == absent && r < m.Fires:
			l.Shards[r].State = deleted
		}
	}
}
