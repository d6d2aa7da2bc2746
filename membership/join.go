package membership

import (
	"math/rand/v2"
	"slices"
	"time"
)

// maxRejoinFailed bounds how many failed members a round looks for.
const maxRejoinFailed = 3

// joinLoop joins until it has reached somebody, with a growing wait, and from
// then on looks now and then for whoever is missing.
func (g *Gossip) joinLoop() {
	backoff := g.cfg.Timing.JoinRetryMin
	for {
		wait := g.cfg.Timing.RejoinInterval
		if !g.joinRound() {
			wait = jitter(backoff)
			backoff = min(2*backoff, g.cfg.Timing.JoinRetryMax)
		} else {
			backoff = g.cfg.Timing.JoinRetryMin
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-g.ctx.Done():
			timer.Stop()
			return
		}
	}
}

// jitter spreads the retries of nodes that were switched on together.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1)
}

// joinRound contacts the seeds that are not live members, and a few failed
// members: after a partition the seeds alone may all sit on one side, or be
// gone. It reports whether the node has company.
func (g *Gossip) joinRound() bool {
	members := g.Members()
	live := make(map[string]bool)
	var failed []string
	for _, m := range members {
		switch m.Status {
		case StatusAlive:
			live[m.Addr] = true
		case StatusFailed:
			failed = append(failed, m.Addr)
		}
	}
	company := len(g.seeds) == 0 || len(live) > 1
	for _, seed := range g.seeds {
		if !live[seed] && g.contact(seed) {
			company = true
		}
	}
	rand.Shuffle(len(failed), func(i, j int) { failed[i], failed[j] = failed[j], failed[i] })
	failed = slices.DeleteFunc(failed, func(addr string) bool {
		return live[addr] || slices.Contains(g.seeds, addr)
	})
	for _, addr := range failed[:min(len(failed), maxRejoinFailed)] {
		g.contact(addr)
	}
	g.setJoined(company)
	return company
}

func (g *Gossip) contact(addr string) bool {
	if g.ctx.Err() != nil {
		return false
	}
	if _, err := g.list.Join([]string{addr}); err != nil {
		g.log.Debug("cannot join through a peer yet", "peer", addr, "error", err)
		return false
	}
	return true
}

func (g *Gossip) setJoined(company bool) {
	g.joinMu.Lock()
	defer g.joinMu.Unlock()
	if company && !g.joined {
		g.log.Info("joined gossip", "members", len(g.Members()))
	} else if !company && !g.tried {
		g.log.Warn("no peer of the join list answers yet; trying on", "join", g.seeds)
	}
	g.tried, g.joined = true, company
}

// seedsTried reports whether every seed has been tried once.
func (g *Gossip) seedsTried() bool {
	g.joinMu.Lock()
	defer g.joinMu.Unlock()
	return g.tried || len(g.seeds) == 0
}
