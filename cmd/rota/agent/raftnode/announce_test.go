package raftnode

import (
	"testing"
	"time"
)

// A follower learns of a commit with the announcement, not when the leader next
// happens to speak.
func TestFollowersLearnAtOnce(t *testing.T) {
	c := startCluster(t, 3, func(cfg *Config) { cfg.Timings.Commit = time.Hour })
	for _, cmd := range []string{"a", "b", "c"} {
		index := c.apply(t, cmd).Index
		for _, m := range c {
			eventually(t, m.id+" has applied "+cmd, func() bool { return m.AppliedIndex() >= index })
		}
	}
	c.converge(t, 3)
}

// A follower that is stopped neither holds up the others nor the shutdown, and is
// told again once it is back.
func TestAnnounceToAFollowerThatIsAway(t *testing.T) {
	c := startCluster(t, 3, func(cfg *Config) { cfg.Timings.Commit = time.Hour })
	leader := c.leader(t)
	var away, other *member
	for _, m := range c {
		switch {
		case m == leader:
		case away == nil:
			away = m
		default:
			other = m
		}
	}
	away.stop(t)
	index := c.apply(t, "alone").Index
	eventually(t, "the other has applied it", func() bool { return other.AppliedIndex() >= index })
	away.start(t)
	eventually(t, "who was away catches up", func() bool {
		c.apply(t, "again")
		return away.AppliedIndex() > index
	})
}
