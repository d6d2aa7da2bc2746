package membership

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// bootstrapPoll is how often RunBootstrap looks at hasState.
const bootstrapPoll = 500 * time.Millisecond

// BootstrapAction is what a node without Raft state should do.
type BootstrapAction string

const (
	BootstrapWait  BootstrapAction = "wait"  // not enough is known yet
	BootstrapFound BootstrapAction = "found" // call BootstrapCluster with the configuration
	BootstrapJoin  BootstrapAction = "join"  // wait to be added by a leader
)

// BootstrapInput is all that the decision depends on.
type BootstrapInput struct {
	Self       Member
	Members    []Member // with Self
	HasState   bool     // this node has Raft state
	SeedsTried bool     // every --join address has been tried once
}

// BootstrapDecision says what to do and why.
type BootstrapDecision struct {
	Action BootstrapAction
	Reason string
	// View is what the node must announce as its BootstrapView.
	View string
	// Configuration is set for BootstrapFound: the same on every founder.
	Configuration raft.Configuration
}

// DecideBootstrap says whether a node may found the cluster. It is a pure
// function. The rule:
//
//   - A node with state, or with --bootstrap-expect 0, never founds.
//   - Nor does one that knows a member with state, alive or not, unless that
//     member has just founded from this very agreement. So a wiped node waits
//     for the cluster that it was in.
//   - Otherwise it founds when at least N live members expect N, and all of
//     them announce that they see the same set. The N lowest IDs become the
//     voters; the others join. The announced view is what keeps nodes that see
//     different sets from founding two clusters when more than N start at once.
//   - A lone node that expects 1 founds at once, or, if it has others to join,
//     after it has tried them.
//
// Live members that expect different numbers give [ErrBootstrapExpectMismatch].
func DecideBootstrap(in BootstrapInput) (BootstrapDecision, error) {
	expect := in.Self.BootstrapExpect
	switch {
	case in.HasState:
		return BootstrapDecision{Action: BootstrapJoin, Reason: "this node has Raft state"}, nil
	case expect == 0:
		return BootstrapDecision{Action: BootstrapJoin, Reason: "bootstrap-expect is not set"}, nil
	}
	candidates, err := bootstrapCandidates(in)
	view := bootstrapView(candidates)
	for _, m := range in.Members {
		if m.ID != in.Self.ID && m.Bootstrapped && m.Status != StatusReplaced && m.BootstrapView != view {
			return BootstrapDecision{Action: BootstrapJoin, Reason: fmt.Sprintf("member %s (%s) is already part of a cluster", m.Name, m.Status)}, nil
		}
	}
	if err != nil { // only now: beside a founded cluster the numbers no longer matter
		return BootstrapDecision{Action: BootstrapWait, Reason: err.Error()}, err
	}
	return agree(in, candidates, view), nil
}

// agree decides once it is known that nobody has state.
func agree(in BootstrapInput, candidates []Member, view string) BootstrapDecision {
	expect := in.Self.BootstrapExpect
	wait := func(view, format string, args ...any) BootstrapDecision {
		return BootstrapDecision{Action: BootstrapWait, View: view, Reason: fmt.Sprintf(format, args...)}
	}
	if len(candidates) < expect {
		return wait("", "%d of %d members are here", len(candidates), expect)
	}
	if len(candidates) == 1 && !in.SeedsTried {
		return wait("", "trying the join list first")
	}
	for i, a := range candidates {
		for _, b := range candidates[:i] {
			if samePlace(a, b) {
				return wait("", "%s and %s claim one name (%q) or raft address (%s)", b.ID, a.ID, a.Name, a.RaftAddr)
			}
		}
	}
	for _, m := range candidates {
		if len(candidates) > 1 && m.BootstrapView != view {
			return wait(view, "%s does not see the same %d members yet", m.Name, len(candidates))
		}
	}
	founders := candidates[:expect]
	if !slices.ContainsFunc(founders, func(m Member) bool { return m.ID == in.Self.ID }) {
		return BootstrapDecision{Action: BootstrapJoin, View: view, Reason: "others found the cluster"}
	}
	return BootstrapDecision{Action: BootstrapFound, View: view, Reason: "all expected members agree", Configuration: votersOf(founders)}
}

// bootstrapCandidates returns the live members that expect what this node does,
// by ID.
func bootstrapCandidates(in BootstrapInput) ([]Member, error) {
	var candidates []Member
	for _, m := range in.Members {
		if m.Status != StatusAlive || m.BootstrapExpect == 0 {
			continue
		}
		if m.BootstrapExpect != in.Self.BootstrapExpect {
			return nil, fmt.Errorf("%w: %s says %d, %s says %d: restart one of them with the other's number",
				ErrBootstrapExpectMismatch, in.Self.Name, in.Self.BootstrapExpect, m.Name, m.BootstrapExpect)
		}
		candidates = append(candidates, m)
	}
	slices.SortFunc(candidates, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return candidates, nil
}

func bootstrapView(candidates []Member) string {
	h := sha256.New()
	for _, m := range candidates {
		fmt.Fprintf(h, "%s@%s\n", m.ID, m.RaftAddr)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func votersOf(founders []Member) raft.Configuration {
	var config raft.Configuration
	for _, m := range founders {
		config.Servers = append(config.Servers, raft.Server{
			Suffrage: raft.Voter,
			ID:       raft.ServerID(m.ID),
			Address:  raft.ServerAddress(m.RaftAddr),
		})
	}
	return config
}

// RunBootstrap follows the member list until this node has Raft state, whether
// it founded the cluster or a leader added it, and announces that it does. It
// returns nil then, ctx's error when that ends first, or the error of found.
// found is called at most once, with the configuration that every founder
// agreed on; it should call raft's BootstrapCluster. hasState reports whether
// the node has Raft state; it is polled. Call RunBootstrap once.
func (g *Gossip) RunBootstrap(ctx context.Context, hasState func() bool, found func(raft.Configuration) error) error {
	ticker := time.NewTicker(bootstrapPoll)
	defer ticker.Stop()
	var said string
	for {
		members, changed := g.Watch()
		self := g.Self()
		decision, err := DecideBootstrap(BootstrapInput{Self: self, Members: members, HasState: hasState(), SeedsTried: g.seedsTried()})
		if decision.Reason != said {
			said = decision.Reason
			g.logDecision(decision, err)
		}
		if decision.Action == BootstrapFound {
			if err := found(decision.Configuration); err != nil {
				return fmt.Errorf("found the cluster: %w", err)
			}
		}
		if decision.Action == BootstrapFound || hasState() {
			return g.UpdateMeta(ctx, func(a *Attributes) { a.Bootstrapped = true })
		}
		if decision.View != self.BootstrapView {
			if err := g.UpdateMeta(ctx, func(a *Attributes) { a.BootstrapView = decision.View }); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *Gossip) logDecision(d BootstrapDecision, err error) {
	if err != nil {
		g.log.Error("the cluster cannot be founded", "error", err)
		return
	}
	g.log.Info("bootstrap", "action", string(d.Action), "reason", d.Reason)
}
