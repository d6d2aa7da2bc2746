package membership

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

type changeKind string

const (
	removeServer  changeKind = "remove"
	addNonvoter   changeKind = "add as non-voter"
	changeAddress changeKind = "change the address of"
)

// change is one step from the Raft configuration to what the members ask for.
type change struct {
	kind   changeKind
	server raft.Server // for changeAddress: with the new address
	reason string
}

// planInput is all that a plan depends on.
type planInput struct {
	local   raft.ServerID
	servers []raft.Server
	members []Member // sorted
	// unseen says since when gossip does not know a server at all.
	unseen          map[raft.ServerID]time.Time
	now             time.Time
	removeDeadAfter time.Duration
	minVoters       int
	// given says that a server was given up on purpose; nil means none.
	given func(raft.ServerID) bool
	// minFormat is the log format that a new member must know.
	minFormat int
}

// nextChange returns the most urgent step, and false when there is none. One
// step at a time, each from the configuration that the last one left: so every
// rule about majorities holds at every step.
//
// Removals come first, so that a machine's old identity is out before its new
// one is in; then addresses; then new members, always without a vote.
func nextChange(in planInput) (change, bool) {
	for _, s := range in.servers {
		if c, ok := in.removal(s); ok {
			return c, true
		}
	}
	for _, s := range in.servers {
		if c, ok := in.move(s); ok {
			return c, true
		}
	}
	for _, m := range in.members {
		if c, ok := in.addition(m); ok {
			return c, true
		}
	}
	return change{}, false
}

func (in planInput) removal(s raft.Server) (change, bool) {
	if s.ID == in.local {
		return change{}, false
	}
	reason, gone := in.goneForGood(s)
	if !gone {
		if reason, gone = in.longDead(s); !gone || !in.spare(s) {
			return change{}, false
		}
	}
	if !in.majorityWithout(s) {
		return change{}, false
	}
	return change{kind: removeServer, server: s, reason: reason}, true
}

// goneForGood: the identity will not come back soon, or must not come back.
func (in planInput) goneForGood(s raft.Server) (reason string, gone bool) {
	m, known := in.member(s.ID)
	switch {
	case known && m.Status == StatusAlive:
		return "", false
	case in.given != nil && in.given(s.ID):
		return "it was given up", true
	case known && m.Status == StatusLeft:
		return "it left", true
	case known && m.Status == StatusReplaced:
		return "its place was taken by a node with a new identity", true
	}
	for _, other := range in.members {
		if other.Status == StatusAlive && raft.ServerID(other.ID) != s.ID && raft.ServerAddress(other.RaftAddr) == s.Address {
			return fmt.Sprintf("its address belongs to node %s now", other.ID), true
		}
	}
	return "", false
}

func (in planInput) longDead(s raft.Server) (reason string, dead bool) {
	since, unseen := in.unseen[s.ID]
	if m, known := in.member(s.ID); known {
		if m.Status == StatusAlive {
			return "", false
		}
		since = m.Since
	} else if !unseen {
		return "", false
	}
	away := in.now.Sub(since)
	return fmt.Sprintf("dead for %s", away.Round(time.Second)), away >= in.removeDeadAfter
}

// spare reports whether the cluster can do without a dead server. Below the
// least number of voters it cannot: a dead voter that returns with its disk may
// be what makes up the next majority.
func (in planInput) spare(s raft.Server) bool {
	return s.Suffrage == raft.Nonvoter || in.voters(nil) > in.minVoters
}

// majorityWithout reports whether the live voters are a majority of those that
// remain; otherwise the change could never be committed.
func (in planInput) majorityWithout(s raft.Server) bool {
	if s.Suffrage == raft.Nonvoter {
		return true
	}
	remaining := in.voters(func(v raft.Server) bool { return v.ID != s.ID })
	live := in.voters(func(v raft.Server) bool { return v.ID != s.ID && (v.ID == in.local || in.alive(v.ID)) })
	return live >= remaining/2+1
}

func (in planInput) voters(which func(raft.Server) bool) int {
	n := 0
	for _, s := range in.servers {
		if s.Suffrage != raft.Nonvoter && (which == nil || which(s)) {
			n++
		}
	}
	return n
}

// move follows a member that came back with another raft address.
func (in planInput) move(s raft.Server) (change, bool) {
	m, known := in.member(s.ID)
	if !known || m.Status != StatusAlive || m.RaftAddr == "" || raft.ServerAddress(m.RaftAddr) == s.Address || in.addressTaken(m) {
		return change{}, false
	}
	moved := s
	moved.Address = raft.ServerAddress(m.RaftAddr)
	return change{kind: changeAddress, server: moved, reason: fmt.Sprintf("it moved from %s", s.Address)}, true
}

func (in planInput) addition(m Member) (change, bool) {
	if m.Status != StatusAlive || m.RaftAddr == "" || m.FormatVersion < in.minFormat || in.configured(m.ID) || in.contested(m) || in.addressTaken(m) {
		return change{}, false
	}
	s := raft.Server{Suffrage: raft.Nonvoter, ID: raft.ServerID(m.ID), Address: raft.ServerAddress(m.RaftAddr)}
	return change{kind: addNonvoter, server: s, reason: "it joined"}, true
}

// contested: another live node has the same name or raft address.
func (in planInput) contested(m Member) bool {
	return slices.ContainsFunc(in.members, func(other Member) bool {
		return other.Status == StatusAlive && samePlace(m, other)
	})
}

func (in planInput) addressTaken(m Member) bool {
	return slices.ContainsFunc(in.servers, func(s raft.Server) bool {
		return s.ID != raft.ServerID(m.ID) && s.Address == raft.ServerAddress(m.RaftAddr)
	})
}

func (in planInput) configured(id string) bool {
	return slices.ContainsFunc(in.servers, func(s raft.Server) bool { return s.ID == raft.ServerID(id) })
}

func (in planInput) alive(id raft.ServerID) bool {
	m, known := in.member(id)
	return known && m.Status == StatusAlive
}

func (in planInput) member(id raft.ServerID) (Member, bool) {
	i := slices.IndexFunc(in.members, func(m Member) bool { return raft.ServerID(m.ID) == id })
	if i < 0 {
		return Member{}, false
	}
	return in.members[i], true
}
