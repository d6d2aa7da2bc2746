package notifier

import "github.com/rota-scheduler/rota/fsm"

// receiver is where notifications go: a URL, or the commands of a job.
type receiver struct {
	busy   int
	failed bool // the last try
	// rests is until when it has asked to be left alone.
	rests fsm.Time
}

// restsUntil is the end of the pause that the receiver of n has asked for, if that
// is to come.
func (c *courier) restsUntil(n *fsm.Notification, now fsm.Time) fsm.Time {
	if r := c.receivers[receiverOf(n)]; r != nil && r.rests > now {
		return r.rests
	}
	return 0
}

// earliest of two instants, of which the first may be unset.
func earliest(a, b fsm.Time) fsm.Time {
	if a == 0 {
		return b
	}
	return min(a, b)
}

func (c *courier) hasRoom(n *fsm.Notification) bool {
	r := c.receivers[receiverOf(n)]
	switch {
	case n.Kind == fsm.NotifyExec:
		return c.running < commands && (r == nil || r.busy == 0)
	case c.hosts[n.To] >= perHost:
		return false
	case r == nil:
		return true
	case r.failed:
		return r.busy == 0
	}
	return r.busy < perReceiver
}

// take books a try of a notification, or with -1 gives its place back.
func (c *courier) take(n *fsm.Notification, d int) {
	key := receiverOf(n)
	r := c.receivers[key]
	if r == nil {
		r = &receiver{}
		c.receivers[key] = r
	}
	r.busy += d
	if n.Kind == fsm.NotifyExec {
		c.running += d
		return
	}
	if c.hosts[n.To] += d; c.hosts[n.To] == 0 {
		delete(c.hosts, n.To)
	}
}

func receiverOf(n *fsm.Notification) string {
	if n.Kind == fsm.NotifyExec {
		return "exec " + n.Namespace + "/" + n.Job
	}
	return n.Target.URL
}

// maxReceivers is past how many receivers those that rest are forgotten.
const maxReceivers = 1000

func (c *courier) forget() {
	if len(c.receivers) <= maxReceivers {
		return
	}
	for key, r := range c.receivers {
		if r.busy == 0 {
			delete(c.receivers, key)
		}
	}
}
