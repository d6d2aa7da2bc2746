package membership

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

func server(n int, suffrage raft.ServerSuffrage) raft.Server {
	return raft.Server{Suffrage: suffrage, ID: raft.ServerID(uid(n)), Address: raft.ServerAddress(fmt.Sprintf("10.0.0.%d:7701", n))}
}

func voters(ns ...int) []raft.Server {
	var servers []raft.Server
	for _, n := range ns {
		servers = append(servers, server(n, raft.Voter))
	}
	return servers
}

func TestNextChange(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(n int, s Status, ago time.Duration) Member {
		m := member(n, s, 0)
		m.Since = now.Add(-ago)
		return m
	}
	ok := func(n int) Member { return at(n, StatusAlive, time.Hour) }
	// wiped is node n back with another identity at its old place.
	wiped := func(id, n int) Member {
		m := ok(n)
		m.ID = uid(id)
		return m
	}
	moved := func(n, to int) Member {
		m := ok(n)
		m.RaftAddr = fmt.Sprintf("10.0.0.%d:7701", to)
		return m
	}
	const old, fresh = 11 * time.Minute, 9 * time.Minute

	for name, tc := range map[string]struct {
		servers []raft.Server
		members []Member
		unseen  map[raft.ServerID]time.Time
		want    string // kind and number, "" for nothing to do
	}{
		"in step":                            {servers: voters(1, 2, 3), members: []Member{ok(1), ok(2), ok(3)}},
		"a new member has no vote":           {servers: voters(1), members: []Member{ok(1), ok(2)}, want: "add as non-voter 2 Nonvoter"},
		"a failed stranger is not added":     {servers: voters(1), members: []Member{ok(1), at(2, StatusFailed, fresh)}},
		"left":                               {servers: voters(1, 2, 3), members: []Member{ok(1), ok(2), at(3, StatusLeft, 0)}, want: "remove 3 Voter"},
		"left, the last but one":             {servers: voters(1, 2), members: []Member{ok(1), at(2, StatusLeft, 0)}, want: "remove 2 Voter"},
		"left, but no majority would remain": {servers: voters(1, 2, 3, 4), members: []Member{ok(1), at(2, StatusLeft, 0), at(3, StatusFailed, 0), at(4, StatusFailed, 0)}},
		"dead for a while":                   {servers: voters(1, 2, 3, 4), members: []Member{ok(1), ok(2), ok(3), at(4, StatusFailed, fresh)}},
		"dead for long":                      {servers: voters(1, 2, 3, 4), members: []Member{ok(1), ok(2), ok(3), at(4, StatusFailed, old)}, want: "remove 4 Voter"},
		"dead for long, one of three voters": {servers: voters(1, 2, 3), members: []Member{ok(1), ok(2), at(3, StatusFailed, old)}},
		"dead for long, a non-voter": {
			servers: append(voters(1, 2, 3), server(4, raft.Nonvoter)),
			members: []Member{ok(1), ok(2), ok(3), at(4, StatusFailed, old)}, want: "remove 4 Nonvoter",
		},
		"gossip knows nobody yet": {servers: voters(1, 2, 3, 4, 5), members: []Member{ok(1)}, unseen: map[raft.ServerID]time.Time{
			raft.ServerID(uid(5)): now.Add(-fresh),
		}},
		"not seen for long": {servers: voters(1, 2, 3, 4), members: []Member{ok(1), ok(2), ok(3)}, unseen: map[raft.ServerID]time.Time{
			raft.ServerID(uid(4)): now.Add(-old),
		}, want: "remove 4 Voter"},
		"wiped: the old identity goes first": {
			servers: voters(1, 2, 3), members: []Member{ok(1), ok(2), at(3, StatusReplaced, 0), wiped(9, 3)}, want: "remove 3 Voter",
		},
		"wiped: then the new one comes, without a vote": {
			servers: voters(1, 2), members: []Member{ok(1), ok(2), at(3, StatusReplaced, 0), wiped(9, 3)}, want: "add as non-voter 9 Nonvoter",
		},
		"wiped: gossip never knew the old one": {
			servers: voters(1, 2, 3), members: []Member{ok(1), ok(2), wiped(9, 3)}, want: "remove 3 Voter",
		},
		"wiped: the old one still counts as alive": {
			servers: voters(1, 2, 3), members: []Member{ok(1), ok(2), ok(3), wiped(9, 3)},
		},
		"two live newcomers with one name": {
			servers: voters(1), members: []Member{ok(1), ok(2), func() Member { m := ok(3); m.Name = "n2"; return m }()},
		},
		"a live newcomer with a voter's name": {
			servers: voters(1, 2), members: []Member{ok(1), ok(2), func() Member { m := ok(3); m.Name = "n2"; return m }()},
		},
		"moved, a voter":            {servers: voters(1, 2, 3), members: []Member{ok(1), ok(2), moved(3, 8)}, want: "change the address of 3 Voter"},
		"moved, a non-voter":        {servers: append(voters(1), server(2, raft.Nonvoter)), members: []Member{ok(1), moved(2, 8)}, want: "change the address of 2 Nonvoter"},
		"moved onto a live voter":   {servers: voters(1, 2, 3), members: []Member{ok(1), ok(2), moved(3, 2)}},
		"the leader itself is safe": {servers: voters(1, 2, 3), members: []Member{at(1, StatusLeft, old), ok(2), ok(3)}},
	} {
		t.Run(name, func(t *testing.T) {
			sortMembers(tc.members)
			c, found := nextChange(planInput{
				local: raft.ServerID(uid(1)), servers: tc.servers, members: tc.members, unseen: tc.unseen,
				now: now, removeDeadAfter: 10 * time.Minute, minVoters: 3,
			})
			got := ""
			if found {
				var n int
				if _, err := fmt.Sscanf(string(c.server.ID), "00000000-0000-4000-8000-%d", &n); err != nil {
					t.Fatal(err)
				}
				got = fmt.Sprintf("%s %d %s", c.kind, n, c.server.Suffrage)
			}
			if got != tc.want {
				t.Errorf("next change = %q (%s), want %q", got, c.reason, tc.want)
			}
		})
	}
}

func TestPromoter(t *testing.T) {
	now := time.Now()
	config := &autopilot.Config{ServerStabilizationTime: 10 * time.Second}
	// Each server: L leader, V healthy voter, s voter that has just failed,
	// d dead voter, N stable non-voter, n unhealthy non-voter.
	state := func(servers string) *autopilot.State {
		s := &autopilot.State{Servers: make(map[raft.ServerID]*autopilot.ServerState)}
		for i, kind := range servers {
			id := raft.ServerID(fmt.Sprint(i + 1))
			st := &autopilot.ServerState{Server: autopilot.Server{ID: id}, State: autopilot.RaftVoter}
			st.Health = autopilot.ServerHealth{Healthy: true, StableSince: now.Add(-time.Minute)}
			switch kind {
			case 'L':
				st.State = autopilot.RaftLeader
			case 's':
				st.Health = autopilot.ServerHealth{StableSince: now.Add(-time.Second)}
			case 'd':
				st.Health.Healthy = false
			case 'N':
				st.State = autopilot.RaftNonVoter
			case 'n':
				st.State, st.Health.Healthy = autopilot.RaftNonVoter, false
			}
			s.Servers[id] = st
		}
		return s
	}
	type ids = []raft.ServerID
	for name, tc := range map[string]struct {
		servers         string
		promote, demote ids
	}{
		"one":                                 {servers: "L"},
		"two vote":                            {servers: "LN", promote: ids{"2"}},
		"three vote":                          {servers: "LNN", promote: ids{"2", "3"}},
		"of four three vote":                  {servers: "LNNN", promote: ids{"2", "3"}},
		"four voters become three":            {servers: "LVVV", demote: ids{"4"}},
		"of four voters the dead one goes":    {servers: "LdVV", demote: ids{"2"}},
		"five of seven vote":                  {servers: "LNNNNNN", promote: ids{"2", "3", "4", "5"}},
		"in step":                             {servers: "LVVVVNN"},
		"a dead voter is relieved":            {servers: "LVdVVNN", promote: ids{"6"}, demote: ids{"3"}},
		"a voter that has just failed is not": {servers: "LVsVVNN"},
		"nobody can relieve a dead voter":     {servers: "LVdVVnn"},
		"losing voters shrinks nothing":       {servers: "LdV"},
		"two dead of five, no standby":        {servers: "LVVdd"},
		"two dead of five, one standby":       {servers: "LVVddN", promote: ids{"6"}, demote: ids{"5"}},
		"an unstable newcomer waits":          {servers: "LVn"},
		"more than five voters":               {servers: "LVVVVVV", demote: ids{"6", "7"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := (&promoter{maxVoters: 5}).CalculatePromotionsAndDemotions(config, state(tc.servers))
			if diff := cmp.Diff(autopilot.RaftChanges{Promotions: tc.promote, Demotions: tc.demote}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
