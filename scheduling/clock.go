package scheduling

import (
	"sync"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// slewRate bounds how fast a leader's time approaches its wall clock: half a
// millisecond a second moves no fire by more than people can notice.
const slewRate = 0.0005

// maxSampleRTT: a sample that took longer says too little about the leader's
// clock to replace one that was quick.
const maxSampleRTT = int64(100 * time.Millisecond)

// sampleAging is the share of the last sample's age by which a slower one may
// exceed that: monotonic clocks drift by less, and a leader that is far away for
// good must still be followed.
const sampleAging = 1000

// settled is for how long a leader's clock must have been the cluster's for its doubt
// to end: every node that has a lease by then has taken a sample of it, since answers
// take a second at most.
const settled = int64(1000 * time.Second)

// Clock is cluster time (rule 0): the leader's time at this node's last sample,
// plus what the monotonic clock has counted since. A step of this machine's wall
// clock does not move it. Before the first sample it is the wall clock. All
// methods may be called concurrently.
type Clock struct {
	wall func() time.Time
	mono func() int64

	mu      sync.Mutex
	base    int64 // cluster time at mono at
	at      int64
	sampled int64 // mono of the last sample; 0: none yet
	doubt   int64 // how much later than this clock says it may be
	led     int64 // mono since when it leads
	leading bool
}

// NewClock returns a clock over a wall clock and a monotonic one (nanoseconds).
func NewClock(wall func() time.Time, mono func() int64) *Clock {
	return &Clock{wall: wall, mono: mono, base: wall().UnixNano(), at: mono()}
}

// Now returns cluster time.
func (c *Clock) Now() fsm.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fsm.Time(c.advance(c.mono()))
}

// Latest returns the latest that cluster time can be, to within the error that is
// tolerated: deadlines are kept by it, and what another node has surely not started
// is told by it. It differs from Now on a node that has heard only answers that were
// long on their way.
func (c *Clock) Latest() fsm.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fsm.Time(c.advance(c.mono()) + c.doubt)
}

// Mono returns the monotonic clock, in nanoseconds from an arbitrary start.
func (c *Clock) Mono() int64 { return c.mono() }

// advance moves base to the given mono instant and returns it.
func (c *Clock) advance(now int64) int64 {
	elapsed := now - c.at
	c.base += elapsed
	c.at = now
	if c.leading {
		limit := int64(float64(elapsed) * slewRate)
		c.base += min(max(c.wall().UnixNano()-c.base, -limit), limit)
		if now-c.led >= settled {
			c.doubt = 0
		}
	}
	return c.base
}

// Sample takes the leader's time out of a heartbeat's answer, sent and received
// at the given mono instants. A leading clock ignores it. The answer was half of
// the round trip on its way, but of a slow one nobody knows which half was: no
// more than is tolerated counts, so that the clock is late rather than early.
func (c *Clock) Sample(leader fsm.Time, sent, received int64) {
	rtt := received - sent
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leading || rtt < 0 || (c.sampled != 0 && rtt > maxSampleRTT+c.doubt+(received-c.sampled)/sampleAging) {
		return
	}
	c.base, c.at, c.sampled = int64(leader)+min(rtt, maxSampleRTT)/2, received, received
	c.doubt = max(rtt-maxSampleRTT, 0)
}

// Offset returns cluster time less the monotonic clock, by which another process
// on this machine, up to its restart, can tell cluster time, and by how much later
// than that it may be.
func (c *Clock) Offset() (offset, doubt int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.mono()
	offset = c.advance(now) - now
	return offset, c.doubt
}

// Restore takes the offset and doubt that an earlier process on this machine had. It counts
// as a sample: an agent that comes back and leads at once carries on the time of
// the leader before it, whatever its wall clock says.
func (c *Clock) Restore(offset, doubt int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.mono()
	c.base, c.sampled, c.doubt = c.at+offset, c.at, max(doubt, 0)
}

// Lead makes this clock the cluster's: it carries on from where it is, and in the
// same doubt, since others may still go by what they had of the leader before.
func (c *Clock) Lead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.mono()
	c.advance(now)
	c.leading, c.led = true, now
}

// Follow ends Lead. What was the cluster's time until now counts as a sample: a
// slow answer of the next leader says less.
func (c *Clock) Follow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.mono()
	c.advance(now)
	if c.leading {
		c.leading, c.sampled = false, now
	}
}

// WallOffset returns how far this machine's wall clock is from cluster time.
func (c *Clock) WallOffset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.wall().UnixNano() - c.advance(c.mono()))
}
