package model

// base is one fire at tick 3, with a lease of 2, stop_after 3 and a grace of 1, so
// that a loss is safe after more than 4; clocks differ by at most 1. C leads and
// executes nothing; B is healthy and always in touch.
func base(name string) Config {
	return Config{
		Name: name, Fires: 1, Due: [runs]uint8{3, 5, 0}, Deadline: 3, Horizon: 1,
		Lease: 2, StopAfter: 3, Grace: 1, Skew: 1,
		FirstLeader: nodeC, Candidates: []uint8{nodeC}, Until: 10,
		SteadyB: true, AtomicBeats: true, FirstOnA: true, Partitions: []Partition{AAlone},
	}
}

var (
	fastA = [nodes]uint8{1, 0, 0}
	slowA = [nodes]uint8{0, 1, 1}
)

// list gathers configurations.
type list []Config

func (l *list) add(name string, change func(c *Config)) {
	c := base(name)
	change(&c)
	*l = append(*l, c)
}

// Configs returns every configuration. In those whose name has no prefix heartbeats
// may be lost or late at will; with "e:" they succeed by themselves while the link
// is whole. "m:" is a small window around one race; "q:", "r:", "g:", "o:", "i:" and
// "w:" are about queues, replacing, graphs, operators, idempotent tasks and the wire;
// "all-" is for random schedules.
func Configs() []Config {
	var l list
	l.faults()
	l.overlaps()
	for _, c := range append(list{}, l...) {
		c.Name, c.EagerBeats = "e:"+c.Name, true
		l = append(l, c)
	}
	l.windows()
	l.oneRule()
	l.queueing()
	l.replacing()
	l.graphs()
	l.operating()
	l.wire()
	l.everything()
	return l
}

// faults: one fire, and something that goes wrong.
func (l *list) faults() {
	l.add("silent", func(c *Config) { c.Budget.Partition = 1 })
	l.add("silent-fastA", func(c *Config) { c.Budget.Partition, c.Offset = 1, fastA })
	l.add("silent-slowA", func(c *Config) { c.Budget.Partition, c.Offset = 1, slowA })
	l.add("silent-late", func(c *Config) { c.Budget.Partition, c.Due[0], c.Horizon, c.Until = 1, 6, 5, 11 })
	l.add("crash", func(c *Config) { c.Budget.AgentCrash = 1 })
	l.add("crash-fastA", func(c *Config) { c.Budget.AgentCrash, c.Offset = 1, fastA })
	l.add("crash-early", func(c *Config) { c.Budget.AgentCrash, c.Due[0], c.Horizon, c.Until = 1, 5, 4, 9 })
	l.add("crash-reset", func(c *Config) { c.Budget.AgentCrash, c.Budget.Reset, c.Horizon, c.Until = 1, 1, 2, 9 })
	l.add("crash2", func(c *Config) { c.Budget.AgentCrash, c.Horizon, c.Until = 2, 2, 9 })
	toB := func(c *Config) { c.Budget.Election, c.Candidates, c.Due[0], c.Horizon = 1, []uint8{nodeB}, 5, 4 }
	l.add("elect", func(c *Config) { toB(c); c.Budget.Partition, c.Partitions = 1, []Partition{AAlone, BAway} })
	l.add("elect-crash", func(c *Config) { toB(c); c.Budget.AgentCrash, c.Until = 2, 9 })
	fromA := func(c *Config) { c.FirstLeader, c.Candidates, c.Budget.Election = nodeA, []uint8{nodeC}, 1 }
	l.add("leader-is-exec", func(c *Config) { fromA(c); c.Budget.Partition, c.Due[0], c.Horizon = 1, 5, 4 })
	l.add("leader-is-exec-crash", func(c *Config) { fromA(c); c.Budget.AgentCrash, c.Horizon, c.Until = 1, 2, 9 })
	l.add("freeze", func(c *Config) { c.Budget.Freeze = 1 })
	l.add("supdies", func(c *Config) { c.Budget.SupervisorDeath = 1 })
	l.add("pause", func(c *Config) { c.Budget.Pause, c.Budget.Partition, c.Horizon, c.Until = 1, 1, 2, 9 })
	l.add("pause-crash", func(c *Config) { c.Budget.Pause, c.Budget.AgentCrash, c.Horizon, c.Until = 1, 1, 2, 9 })
	l.add("pause-sup", func(c *Config) { c.Budget.Pause, c.Budget.SupervisorDeath, c.Horizon, c.Until = 1, 1, 2, 8 })
}

// overlaps: two fires of a job that runs one at a time, or a fire and a manual run.
func (l *list) overlaps() {
	two := func(c *Config) { c.Fires, c.Overlap, c.Due, c.Until = 2, Forbid, [runs]uint8{2, 4, 0}, 8 }
	l.add("forbid", func(c *Config) { two(c); c.Budget.Partition = 1 })
	l.add("forbid-fail", func(c *Config) { two(c); c.Budget.Failure = 1 })
	l.add("forbid-crash", func(c *Config) { two(c); c.Until, c.Budget.AgentCrash = 7, 1 })
	l.add("forbid-sup", func(c *Config) { two(c); c.Budget.SupervisorDeath = 1 })
	manual := func(c *Config) { c.Manuals, c.Overlap, c.Budget.Manual, c.Horizon, c.Until = 1, Forbid, 1, 2, 8 }
	l.add("manual", func(c *Config) { manual(c); c.Budget.Partition = 1 })
	l.add("manual-crash", func(c *Config) { manual(c); c.Budget.AgentCrash, c.Until = 1, 7 })
}

// window is a scene of a few ticks around the due instant.
func (c *Config) window(from, due, horizon, until uint8) {
	c.From, c.Due[0], c.Horizon, c.Until = from, due, horizon, until
}

// three fires at once, and no time: what is armed together is decided together.
func (c *Config) three(overlap Overlap) {
	c.window(3, 3, 1, 3)
	c.Fires, c.Overlap, c.Due = 3, overlap, [runs]uint8{3, 3, 3}
}

// windows are small enough to go deep into one race.
func (l *list) windows() {
	toB := []uint8{nodeB}
	l.add("m:reset", func(c *Config) { c.window(2, 3, 1, 5); c.Skew, c.Budget.AgentCrash, c.Budget.Reset = 0, 1, 1 })
	l.add("m:discard", func(c *Config) { c.window(3, 3, 1, 4); c.Budget.AgentCrash, c.Budget.Pause = 1, 1 })
	l.add("m:note", func(c *Config) {
		c.window(2, 4, 2, 4)
		c.Budget.AgentCrash, c.Budget.Election, c.Candidates = 1, 1, toB
	})
	l.add("m:stale", func(c *Config) {
		c.window(2, 4, 2, 5)
		c.Budget.AgentCrash, c.Budget.Election, c.Candidates = 1, 1, toB
	})
	l.add("m:skip", func(c *Config) {
		c.window(3, 3, 1, 3)
		c.Fires, c.Overlap, c.Due[1], c.Budget.AgentCrash = 2, Forbid, 3, 1
	})
	l.add("m:quorum", func(c *Config) {
		c.window(2, 5, 3, 6)
		c.Budget.Election, c.Candidates, c.Deadline = 1, toB, 4
	})
	l.add("m:token", func(c *Config) { c.window(3, 3, 1, 8); c.Deadline = 9 })
	l.add("m:pausetoken", func(c *Config) {
		c.window(3, 3, 1, 8)
		c.Deadline, c.Budget.Pause, c.Budget.Partition = 9, 1, 1
	})
	l.add("m:listener", func(c *Config) {
		c.window(2, 4, 2, 5)
		c.Skew, c.Budget.Reset, c.Budget.ListenerClose = 0, 1, 1
	})
	l.add("m:chain", func(c *Config) { c.three(Forbid); c.Budget.AgentCrash = 1 })
	l.add("m:chain-sup", func(c *Config) { c.three(Forbid); c.Budget.SupervisorDeath = 1 })
	l.add("m:missed", func(c *Config) { c.window(3, 3, 1, 8) })
}

// oneRule: as small as they can be and still show what one rule is for.
func (l *list) oneRule() {
	l.add("m:fail", func(c *Config) {
		c.window(3, 3, 1, 3)
		c.Fires, c.Overlap, c.Due[1], c.Budget.Failure = 2, Forbid, 3, 1
	})
	l.add("m:maybe", func(c *Config) {
		c.window(3, 3, 1, 4)
		c.Fires, c.Overlap, c.Due[1], c.Deadline, c.Budget.SupervisorDeath, c.EagerBeats = 2, Forbid, 4, 0, 1, true
	})
	l.add("m:life", func(c *Config) {
		c.window(3, 4, 1, 4)
		c.Skew, c.Budget.AgentCrash, c.Budget.Election, c.Candidates, c.EagerBeats = 0, 1, 1, []uint8{nodeB}, true
	})
	l.add("m:late", func(c *Config) {
		c.window(1, 4, 3, 5)
		c.Skew, c.Deadline = 0, 0
	})
	l.add("m:fastA", func(c *Config) {
		c.window(2, 3, 1, 3)
		c.Offset, c.Budget.AgentCrash = fastA, 1
	})
}
