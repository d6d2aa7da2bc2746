package membership

import (
	"cmp"
	"slices"
	"time"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

// promoter decides which servers vote. It wants an odd number, because an even
// one survives no more losses and needs one acknowledgement more: of five or
// more servers five vote (or what MaxVoters says), of three or four three do.
// Of two both vote, though either loss then stops the cluster: a write that was
// acknowledged is on both disks.
//
// A voter loses its vote only while a stable non-voter can take it, or when
// there are more voters than wanted. Losing voters never shrinks the electorate.
type promoter struct {
	autopilot.StablePromoter
	maxVoters int
}

func (p *promoter) wanted(servers int) int {
	n := min(servers, p.maxVoters)
	if n > 2 && n%2 == 0 {
		n--
	}
	return n
}

// CalculatePromotionsAndDemotions is part of autopilot.Promoter.
func (p *promoter) CalculatePromotionsAndDemotions(c *autopilot.Config, s *autopilot.State) autopilot.RaftChanges {
	now := time.Now()
	ranked := make([]*autopilot.ServerState, 0, len(s.Servers))
	for _, server := range s.Servers {
		if voterRank(server, c, s, now) != rankUnfit {
			ranked = append(ranked, server)
		}
	}
	slices.SortFunc(ranked, func(a, b *autopilot.ServerState) int {
		return cmp.Or(
			cmp.Compare(voterRank(a, c, s, now), voterRank(b, c, s, now)),
			a.Health.StableSince.Compare(b.Health.StableSince),
			cmp.Compare(a.Server.ID, b.Server.ID),
		)
	})
	wanted := p.wanted(len(s.Servers))
	var changes autopilot.RaftChanges
	for i, server := range ranked {
		switch {
		case i < wanted && !server.HasVotingRights():
			changes.Promotions = append(changes.Promotions, server.Server.ID)
		case i >= wanted && server.HasVotingRights():
			changes.Demotions = append(changes.Demotions, server.Server.ID)
		}
	}
	return changes
}

// The order in which servers get a vote.
const (
	rankLeader = iota
	rankHealthyVoter
	rankShakyVoter // unhealthy, for less than the stabilization time
	rankStandby    // non-voter, stable
	rankDeadVoter  // unhealthy for longer
	rankUnfit      // non-voter, not stable
)

func voterRank(server *autopilot.ServerState, c *autopilot.Config, s *autopilot.State, now time.Time) int {
	switch {
	case server.State == autopilot.RaftLeader:
		return rankLeader
	case !server.HasVotingRights() && server.Health.IsStable(now, s.ServerStabilizationTime(c)):
		return rankStandby
	case !server.HasVotingRights():
		return rankUnfit
	case server.Health.Healthy:
		return rankHealthyVoter
	case now.Sub(server.Health.StableSince) < c.ServerStabilizationTime:
		return rankShakyVoter
	default:
		return rankDeadVoter
	}
}

// guardedRaft is the Raft that autopilot changes. Autopilot decides on a state
// that may be some seconds old; a server that has been removed meanwhile must
// not come back as a voter through a promotion.
type guardedRaft struct{ autopilot.Raft }

// AddVoter promotes a server only where it is in the configuration now.
func (g guardedRaft) AddVoter(id raft.ServerID, addr raft.ServerAddress, _ uint64, timeout time.Duration) raft.IndexFuture {
	config := g.GetConfiguration()
	if err := config.Error(); err != nil {
		return failedFuture{err}
	}
	for _, server := range config.Configuration().Servers {
		if server.ID == id && server.Address == addr {
			return g.Raft.AddVoter(id, addr, config.Index(), timeout)
		}
	}
	return failedFuture{errNotInConfiguration}
}

// failedFuture is a change that was refused.
type failedFuture struct{ err error }

func (f failedFuture) Error() error  { return f.err }
func (f failedFuture) Index() uint64 { return 0 }
