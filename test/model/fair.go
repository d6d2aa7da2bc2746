package model

// Bounds of a fair continuation: how many ticks after its beginning all must have
// ended, and how many steps that may take.
const (
	fairTicks = 70
	fairSteps = 5000
	farFuture = 250
)

// fair goes on from s without another fault, always with the step that is soonest,
// and returns what is broken by then, with the steps that led there. States in
// good are known to end well; those on the way are added.
func (m *Model) fair(s State, good *seen) (Broken, []string) {
	calm := *m
	calm.Until = farFuture
	end := min(int(s.Now)+fairTicks, farFuture)
	var path []uint64
	trace := []string{"from here on, without another fault:"}
	for steps := 0; int(s.Now) < end && steps < fairSteps; steps++ {
		h := good.hash(&s)
		if good.has(h) || calm.final(&s) {
			for _, p := range append(path, h) {
				good.add(p)
			}
			return "", nil
		}
		path = append(path, h)
		next, a := calm.soonest(&s)
		if a == nil {
			break
		}
		trace = append(trace, stepText(a, &next))
		if b := calm.Check(&s, &next); b != "" {
			return b, append(trace, next.String())
		}
		s = next
	}
	const kept = 60
	if len(trace) > kept {
		trace = append(trace[:kept], "...")
	}
	return NeverFinishes, append(trace, s.String())
}

// soonest returns the step that comes first when all goes well, or nil.
func (m *Model) soonest(s *State) (State, *Action) {
	var next State
	var best *Action
	m.Steps(s, func(a *Action, n *State) {
		if a.fault() || (best != nil && a.priority() >= best.priority()) {
			return
		}
		next, best = *n, new(Action)
		*best = *a
	})
	return next, best
}
