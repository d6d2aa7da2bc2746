package model

// people offers what is asked for from outside.
func (st *step) people() {
	s := st.state
	entry := func(k Kind, left *uint8, change func(n *State)) {
		if *left > 0 && s.Log.Deleting == 0 {
			st.do(on(k, none), func(n *State) { change(n); n.Head++ })
		}
	}
	entry(pauseJob, &s.Left.Pause, func(n *State) { n.Left.Pause--; st.pause(&n.Log) })
	entry(applyVersion, &s.Left.Version, func(n *State) { n.Left.Version--; st.newVersion(&n.Log, st.clock()) })
	entry(deleteJob, &s.Left.Delete, func(n *State) { n.Left.Delete--; st.remove(&n.Log) })
	st.manual()
	for x := range executors {
		if s.Left.Drain > 0 && s.Log.Drained == 0 {
			st.do(on(drainNode, x), func(n *State) { n.Left.Drain--; st.drain(&n.Log, uint8(x)); n.Head++ })
		}
	}
	if s.Log.Paused == 1 && s.PauseAnswered == 0 && s.Log.quiet() {
		st.do(on(answerPause, none), func(n *State) { n.PauseAnswered = 1 })
	}
}

// quiet says whether no run that is not known to have started may start.
func (l *Log) quiet() bool {
	for r := range runs {
		v := &l.Shards[r]
		if v.State == retracting || (v.State == armed && v.Known == 0) {
			return false
		}
	}
	return true
}

// manual offers a manual run, in the first slot that is free.
func (st *step) manual() {
	s := st.state
	if s.Left.Manual == 0 || (s.Log.Paused == 1 && !st.ManualWhilePaused) || s.Log.Deleting == 1 {
		return
	}
	for r := runs - st.Manuals; r < runs; r++ {
		if s.Log.Shards[r].State == absent {
			st.do(of(manualRun, none, r), func(n *State) {
				n.Left.Manual--
				st.startManual(&n.Log, r)
				n.Head++
			})
			return
		}
	}
}
