package model

// noDeadline lies beyond everything that is ever waited for.
const noDeadline = 200

// queueing: fires that wait for the run before them.
func (l *list) queueing() {
	two := func(c *Config) {
		c.window(2, 2, 1, 6)
		c.Fires, c.Overlap, c.Due[1], c.Unplaced, c.EagerBeats = 2, Queue, 3, true, true
	}
	l.add("q:plain", two)
	l.add("q:fail", func(c *Config) { two(c); c.Budget.Failure = 1 })
	l.add("q:crash", func(c *Config) { two(c); c.Until, c.Budget.AgentCrash = 4, 1 })
	l.add("q:sup", func(c *Config) { two(c); c.Until, c.Budget.SupervisorDeath = 4, 1 })
	l.add("q:silent", func(c *Config) { two(c); c.Until, c.Unplaced, c.Budget.Partition = 8, false, 1 })
	l.add("q:pause", func(c *Config) { two(c); c.Until, c.Unplaced, c.Budget.Pause = 5, false, 1 })
	l.add("q:chain", func(c *Config) { c.three(Queue); c.Budget.AgentCrash = 1 })
	manual := func(c *Config) { two(c); c.Manuals, c.Budget.Manual, c.Until, c.Deadline = 1, 1, 4, noDeadline }
	l.add("q:manual", manual)
	l.add("q:manual-crash", func(c *Config) { manual(c); c.window(3, 3, 1, 3); c.Unplaced, c.Budget.AgentCrash = false, 1 })
	l.add("q:manual-sup", func(c *Config) { manual(c); c.window(3, 3, 1, 3); c.Unplaced, c.Budget.SupervisorDeath = false, 1 })
	l.add("q:manual2", func(c *Config) { manual(c); c.Fires, c.Manuals, c.Budget.Manual = 1, 2, 2 })
	l.add("q:manual-pause", func(c *Config) { manual(c); c.Unplaced, c.Until, c.Budget.Pause = false, 3, 1 })
	l.add("q:unplaced", func(c *Config) { two(c); c.Overlap = Forbid })
}

// replacing: fires that end the run before them.
func (l *list) replacing() {
	two := func(c *Config) {
		c.window(2, 2, 1, 6)
		c.Fires, c.Overlap, c.Due[1], c.Unplaced, c.EagerBeats = 2, Replace, 3, true, true
		c.Deadline = noDeadline
	}
	l.add("r:plain", two)
	l.add("r:fail", func(c *Config) { two(c); c.Until, c.Budget.Failure = 5, 1 })
	l.add("r:crash", func(c *Config) { two(c); c.Until, c.Unplaced, c.Budget.AgentCrash = 3, false, 1 })
	l.add("r:sup", func(c *Config) { two(c); c.Until, c.Unplaced, c.Budget.SupervisorDeath = 3, false, 1 })
	l.add("r:silent", func(c *Config) { two(c); c.Until, c.Unplaced, c.Budget.Partition = 8, false, 1 })
	l.add("r:pause", func(c *Config) { two(c); c.Until, c.Unplaced, c.Budget.Pause = 4, false, 1 })
	l.add("r:elect", func(c *Config) {
		two(c)
		c.Until, c.Unplaced, c.Budget.Election, c.Candidates = 4, false, 1, []uint8{nodeB}
	})
	l.add("r:three", func(c *Config) { c.three(Replace) })
	manual := func(c *Config) { two(c); c.Manuals, c.Budget.Manual, c.Until, c.Deadline = 1, 1, 4, noDeadline }
	l.add("r:manual", manual)
	l.add("r:manual-crash", func(c *Config) { manual(c); c.window(3, 3, 1, 3); c.Unplaced, c.Budget.AgentCrash = false, 1 })
	l.add("r:manual2", func(c *Config) { manual(c); c.Fires, c.Manuals, c.Budget.Manual = 1, 2, 2 })
}

// graphs: a run with a second shard, and another run behind it.
func (l *list) graphs() {
	two := func(kind SecondShard, overlap Overlap) func(c *Config) {
		return func(c *Config) {
			c.window(3, 3, 1, 4)
			c.Fires, c.Overlap, c.Due[1], c.Second, c.EagerBeats = 2, overlap, 3, kind, true
		}
	}
	l.add("g:root", two(SecondRoot, Forbid))
	l.add("g:dependent", two(SecondDependent, Forbid))
	l.add("g:queue", two(SecondDependent, Queue))
	l.add("g:replace", two(SecondRoot, Replace))
	one := func(c *Config) {
		c.window(3, 3, 1, 5)
		c.Second, c.EagerBeats = SecondRoot, true
	}
	l.add("g:pause", func(c *Config) { one(c); c.Budget.Pause = 1 })
	l.add("g:crash", func(c *Config) { one(c); c.Until, c.Budget.AgentCrash = 4, 1 })
	l.add("g:silent", func(c *Config) { one(c); c.Until, c.ArmedDue, c.Budget.Partition = 9, true, 1 })
	l.add("g:delete", func(c *Config) { one(c); c.Budget.Delete = 1 })
}

// operating: what people ask for while fires are armed.
func (l *list) operating() {
	one := func(c *Config) {
		c.window(2, 3, 1, 5)
		c.EagerBeats = true
	}
	l.add("o:drain", func(c *Config) { one(c); c.Budget.Drain = 1 })
	l.add("o:drain-crash", func(c *Config) { one(c); c.Until, c.Budget.Drain, c.Budget.AgentCrash = 4, 1, 1 })
	l.add("o:drain-silent", func(c *Config) { one(c); c.Until, c.Budget.Drain, c.Budget.Partition = 9, 1, 1 })
	l.add("o:version", func(c *Config) { one(c); c.window(1, 3, 2, 5); c.Budget.Version = 2 })
	l.add("o:version-crash", func(c *Config) { one(c); c.window(2, 3, 2, 4); c.Budget.Version, c.Budget.AgentCrash = 1, 1 })
	l.add("o:version-manual", func(c *Config) {
		one(c)
		c.window(2, 3, 2, 4)
		c.Overlap, c.Manuals, c.Budget.Version, c.Budget.Manual = Queue, 1, 1, 1
	})
	l.add("o:delete", func(c *Config) { one(c); c.Until, c.Budget.Delete, c.Budget.Partition = 9, 1, 1 })
	l.add("o:delete-crash", func(c *Config) { one(c); c.Until, c.Budget.Delete, c.Budget.AgentCrash = 4, 1, 1 })
	l.add("o:power", func(c *Config) { one(c); c.Until, c.Budget.PowerCut, c.Budget.Pause = 4, 1, 1 })
	l.add("o:manual-paused", func(c *Config) {
		one(c)
		c.window(3, 3, 1, 4)
		c.Overlap, c.Manuals, c.Deadline, c.ManualWhilePaused = Queue, 1, noDeadline, true
		c.Budget.Pause, c.Budget.Manual, c.Budget.AgentCrash = 1, 1, 1
	})
	l.add("i:silent", func(c *Config) { one(c); c.Until, c.Idempotent, c.Budget.Partition = 9, true, 1 })
	l.add("i:crash", func(c *Config) { one(c); c.Until, c.Idempotent, c.Budget.AgentCrash = 4, true, 1 })
	l.add("i:pause", func(c *Config) {
		one(c)
		c.Until, c.Idempotent, c.Budget.Partition, c.Budget.Pause = 7, true, 1, 1
	})
}

// wire: links that work one way, answers that take their time, and how the leader
// learns of an agent's new life.
func (l *list) wire() {
	oneWay := []Partition{AMute, ADeaf, ANotHeard}
	l.add("w:oneway", func(c *Config) {
		c.window(2, 4, 2, 9)
		c.Budget.Partition, c.Partitions, c.EagerBeats = 1, oneWay, true
	})
	l.add("w:oneway-elect", func(c *Config) {
		c.window(2, 4, 2, 7)
		c.Budget.Partition, c.Partitions, c.EagerBeats = 1, oneWay, true
		c.Budget.Election, c.Candidates = 1, []uint8{nodeB}
	})
	l.add("w:oneway-leader", func(c *Config) {
		c.window(2, 4, 2, 7)
		c.FirstLeader, c.Candidates, c.Budget.Election = nodeA, []uint8{nodeC}, 1
		c.Budget.Partition, c.Partitions, c.EagerBeats = 1, []Partition{AMute, ADeaf}, true
	})
	l.add("w:answer", func(c *Config) {
		c.window(2, 4, 2, 4)
		c.Budget.Election, c.Candidates, c.Skew, c.AtomicBeats = 1, []uint8{nodeB}, 0, false
	})
	life := func(c *Config) { c.window(2, 4, 2, 4); c.Registration, c.EagerBeats = true, true }
	l.add("w:life", func(c *Config) { life(c); c.Budget.AgentCrash = 1 })
	l.add("w:life-elect", func(c *Config) {
		life(c)
		c.Budget.AgentCrash, c.Budget.Election, c.Candidates = 1, 1, []uint8{nodeB}
	})
	l.add("w:armed-due", func(c *Config) {
		c.window(2, 3, 1, 5)
		c.ArmedDue, c.LateArming, c.EagerBeats, c.Budget.AgentCrash = true, true, true, 1
	})
	l.add("w:armed-due-silent", func(c *Config) {
		c.window(2, 3, 1, 9)
		c.ArmedDue, c.LateArming, c.EagerBeats, c.Budget.Partition, c.Deadline = true, true, true, 1, 5
	})
}

// everything: both executors real and every fault, for random schedules.
func (l *list) everything() {
	all := func(c *Config) {
		c.Fires, c.Overlap, c.Manuals, c.Due = 2, Forbid, 1, [runs]uint8{5, 8, 0}
		c.Deadline, c.Horizon, c.Lease, c.StopAfter, c.Until = 8, 4, 3, 5, 40
		c.Budget = Budget{
			AgentCrash: 3, Election: 2, Partition: 1, Reset: 1, Freeze: 1, SupervisorDeath: 1, Pause: 1, Manual: 1, Failure: 1,
		}
		c.SteadyB, c.AtomicBeats, c.FirstOnA = false, false, false
		c.Candidates, c.Partitions = []uint8{nodeA, nodeB, nodeC}, []Partition{AAlone, BAway}
	}
	l.add("all-C", all)
	l.add("all-A", func(c *Config) { all(c); c.FirstLeader, c.Offset = nodeA, fastA })
	l.add("all-allow", func(c *Config) { all(c); c.Overlap, c.Manuals, c.Budget.Manual, c.Offset = Allow, 0, 0, slowA })
	l.add("all-nopause", func(c *Config) { all(c); c.Budget.Pause, c.Budget.Freeze, c.Offset = 0, 0, fastA })
	more := func(c *Config) {
		all(c)
		c.Budget.PowerCut, c.Budget.ListenerClose, c.Budget.Drain, c.Budget.Version = 1, 1, 1, 1
		c.Partitions = []Partition{AAlone, BAway, AMute, ADeaf, ANotHeard}
		c.ArmedDue, c.Registration, c.Unplaced, c.LateArming = true, true, true, true
	}
	l.add("all-forbid+", more)
	l.add("all-queue", func(c *Config) { more(c); c.Overlap = Queue })
	l.add("all-replace", func(c *Config) { more(c); c.Overlap, c.Offset = Replace, fastA })
	l.add("all-replace-nopause", func(c *Config) { more(c); c.Overlap, c.Budget.Pause = Replace, 0 })
	l.add("all-queue-manual2", func(c *Config) {
		more(c)
		c.Overlap, c.Fires, c.Manuals, c.Budget.Manual, c.Budget.Pause = Queue, 1, 2, 2, 0
	})
	l.add("all-graph", func(c *Config) { more(c); c.Second = SecondRoot })
	l.add("all-graph-replace", func(c *Config) { more(c); c.Second, c.Overlap = SecondDependent, Replace })
	l.add("all-delete", func(c *Config) {
		more(c)
		c.Second, c.Overlap, c.Budget.Delete, c.Budget.Pause = SecondRoot, Queue, 1, 0
	})
	l.add("all-idempotent", func(c *Config) { more(c); c.Idempotent = true })
}
