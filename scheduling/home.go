package scheduling

import (
	"fmt"
	"math"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// home is the region that a job is to run in.
type home struct {
	region  string
	require bool
}

func homeOf(spec *fsm.JobSpec) home {
	return home{spec.Region, spec.RegionPolicy == fsm.RegionRequire}
}

// atHome: work whose region is required goes nowhere else.
var atHome = filter{
	pass: func(_ *Cluster, n *candidate, r *Request) bool {
		return !r.Rules.home.require || n.node.Region == r.Rules.home.region
	},
	why: func(_ *Cluster, _ *candidate, r *Request) string { return "not in region " + r.Rules.home.region },
}

// unknownAway is the distance of a region that nothing is known of: farther than
// any that is known.
const unknownAway = time.Duration(math.MaxInt64)

// away is how far a node is from the region of the work, as the round trip between
// the regions; 0 at home, or if there is none.
func (c *Cluster) away(n *candidate, h home) time.Duration {
	if h.region == "" || n.node.Region == h.region {
		return 0
	}
	if c.latency != nil && n.node.Region != "" {
		if rtt, known := c.latency(h.region, n.node.Region); known {
			return max(rtt, 1)
		}
	}
	return unknownAway
}

// whyRegion says where work with a region went, and why.
func (c *Cluster) whyRegion(n *candidate, r *Request) string {
	if r.Rules == nil || r.Rules.home.region == "" {
		return ""
	}
	h := r.Rules.home
	if n.node.Region == h.region {
		return "in its region; "
	}
	why := "no node of region " + h.region + " is ready"
	for _, other := range c.nodes {
		if other.node.Region == h.region {
			why = "no node of region " + h.region + " can take it"
		}
	}
	region := "the region " + n.node.Region
	if n.node.Region == "" {
		region = "a node without a region"
	}
	away := c.away(n, h)
	if away == unknownAway {
		return fmt.Sprintf("%s; %s, whose distance is not known; ", why, region)
	}
	return fmt.Sprintf("%s; %s is nearest, %s away; ", why, region, away.Round(100*time.Microsecond))
}
