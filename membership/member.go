package membership

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"time"
)

// Status is what gossip believes of a member.
type Status string

const (
	StatusAlive  Status = "alive"
	StatusFailed Status = "failed" // does not answer; its processes may well run
	StatusLeft   Status = "left"   // said good-bye
	// StatusReplaced is a failed or left member whose name or raft address a
	// live one has taken over, as a machine does after its disk was wiped.
	StatusReplaced Status = "replaced"
)

// Attributes are what a node announces about itself.
type Attributes struct {
	HTTPAddr        string            `json:"h,omitempty"` // ip:port that peers dial
	RaftAddr        string            `json:"r,omitempty"` // ip:port that peers dial
	Region          string            `json:"g,omitempty"`
	Zone            string            `json:"z,omitempty"`
	Labels          map[string]string `json:"l,omitempty"`
	Capacity        int               `json:"c,omitempty"`
	Version         string            `json:"v,omitempty"` // release of the binary
	FormatVersion   int               `json:"f,omitempty"` // highest log format it knows
	BootstrapExpect int               `json:"e,omitempty"` // 0: never founds a cluster
	Bootstrapped    bool              `json:"b,omitempty"` // has Raft state
	BootstrapView   string            `json:"w,omitempty"` // see DecideBootstrap
}

func (a Attributes) clone() Attributes {
	a.Labels = maps.Clone(a.Labels)
	return a
}

// Member is one node as this node sees it. It is a copy: change it freely.
type Member struct {
	ID          string // UUID
	Name        string
	Incarnation uint64
	Addr        string // gossip ip:port
	Attributes
	Status Status
	Since  time.Time // when this node noticed the status, by its own clock
}

// IP returns the address part of Addr, nil if there is none.
func (m Member) IP() net.IP {
	host, _, err := net.SplitHostPort(m.Addr)
	if err != nil {
		return nil
	}
	return net.ParseIP(host)
}

func (m Member) clone() Member {
	m.Attributes = m.Attributes.clone()
	return m
}

// samePlace reports whether two identities claim one place in the cluster.
func samePlace(a, b Member) bool {
	return a.ID != b.ID && (a.Name == b.Name || (a.RaftAddr != "" && a.RaftAddr == b.RaftAddr))
}

func sortMembers(members []Member) {
	slices.SortFunc(members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
}

// markReplaced changes the status of those whose place a live member has taken.
func markReplaced(members []Member) {
	for i := range members {
		if members[i].Status == StatusAlive {
			continue
		}
		taken := slices.ContainsFunc(members, func(other Member) bool {
			return other.Status == StatusAlive && samePlace(members[i], other)
		})
		if taken {
			members[i].Status = StatusReplaced
		}
	}
}

// Conflict is a name that several live nodes claim.
type Conflict struct {
	Name    string
	Members []Member // by ID
}

// conflicts expects sorted members. Two live members at one gossip address are
// no conflict: one process holds the address, so the other is a dead identity
// that the failure detector has not caught up with.
func conflicts(members []Member) []Conflict {
	var found []Conflict
	byName := make(map[string][]Member)
	for _, m := range members {
		if m.Status == StatusAlive {
			byName[m.Name] = append(byName[m.Name], m)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		same := byName[name]
		elsewhere := func(m Member) bool { return m.Addr != same[0].Addr }
		if slices.ContainsFunc(same, elsewhere) {
			found = append(found, Conflict{Name: name, Members: same})
		}
	}
	return found
}
