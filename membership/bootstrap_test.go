package membership

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"
)

// uid makes IDs that sort as their numbers do.
func uid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func member(n int, status Status, expect int) Member {
	return Member{
		ID: uid(n), Name: fmt.Sprintf("n%d", n), Status: status,
		Addr:       fmt.Sprintf("10.0.0.%d:7702", n),
		Attributes: Attributes{RaftAddr: fmt.Sprintf("10.0.0.%d:7701", n), BootstrapExpect: expect},
	}
}

func founders(ns ...int) raft.Configuration {
	var c raft.Configuration
	for _, n := range ns {
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(uid(n)), Address: raft.ServerAddress(fmt.Sprintf("10.0.0.%d:7701", n))})
	}
	return c
}

func TestDecideBootstrap(t *testing.T) {
	alive := func(n, expect int) Member { return member(n, StatusAlive, expect) }
	with := func(m Member, change func(*Member)) Member { change(&m); return m }
	bootstrapped := func(m *Member) { m.Bootstrapped = true }
	// agreed makes all announce that they see exactly each other.
	agreed := func(ms ...Member) []Member {
		view := bootstrapView(ms)
		for i := range ms {
			ms[i].BootstrapView = view
		}
		return ms
	}
	trio := func() []Member { return agreed(alive(1, 3), alive(2, 3), alive(3, 3)) }

	for name, tc := range map[string]struct {
		members    []Member // the first is the node itself
		hasState   bool
		notTried   bool
		want       BootstrapAction
		wantConfig raft.Configuration
		wantReason string
		wantErr    error
	}{
		"expect 1, alone":                      {members: []Member{alive(1, 1)}, want: BootstrapFound, wantConfig: founders(1)},
		"expect 1, seeds not tried yet":        {members: []Member{alive(1, 1)}, notTried: true, want: BootstrapWait, wantReason: "join list"},
		"expect 1, others without an opinion":  {members: []Member{alive(1, 1), alive(2, 0)}, want: BootstrapFound, wantConfig: founders(1)},
		"expect 1, two such: lower founds":     {members: agreed(alive(1, 1), alive(2, 1)), want: BootstrapFound, wantConfig: founders(1)},
		"expect 1, wiped founder of a cluster": {members: []Member{alive(4, 1), with(alive(2, 0), bootstrapped)}, want: BootstrapJoin, wantReason: "n2"},
		"expect 0":                             {members: []Member{alive(1, 0), alive(2, 3), alive(3, 3), alive(4, 3)}, want: BootstrapJoin},
		"has state":                            {members: trio(), hasState: true, want: BootstrapJoin},
		"two of three":                         {members: []Member{alive(1, 3), alive(2, 3)}, want: BootstrapWait, wantReason: "2 of 3"},
		"third has failed":                     {members: []Member{alive(1, 3), alive(2, 3), member(3, StatusFailed, 3)}, want: BootstrapWait, wantReason: "2 of 3"},
		"three, not all of one mind yet":       {members: []Member{alive(1, 3), alive(2, 3), alive(3, 3)}, want: BootstrapWait, wantReason: "same 3"},
		"three agree":                          {members: trio(), want: BootstrapFound, wantConfig: founders(1, 2, 3)},
		"three agree, seen by the third": {
			members: func() []Member { m := trio(); return []Member{m[2], m[0], m[1]} }(),
			want:    BootstrapFound, wantConfig: founders(1, 2, 3),
		},
		"one has founded from this agreement already": {
			members: func() []Member { m := trio(); m[1].Bootstrapped = true; return m }(),
			want:    BootstrapFound, wantConfig: founders(1, 2, 3),
		},
		"four expect three, one of the lowest": {
			members: agreed(alive(1, 3), alive(2, 3), alive(3, 3), alive(4, 3)),
			want:    BootstrapFound, wantConfig: founders(1, 2, 3),
		},
		"four expect three, the highest": {
			members: func() []Member {
				m := agreed(alive(1, 3), alive(2, 3), alive(3, 3), alive(4, 3))
				return []Member{m[3], m[0], m[1], m[2]}
			}(),
			want: BootstrapJoin,
		},
		"a fourth shows up after three agreed": {
			members: append(trio(), alive(4, 3)),
			want:    BootstrapWait, wantReason: "same 4",
		},
		"late joiner beside a founded cluster": {
			members: []Member{alive(4, 3), with(alive(1, 3), bootstrapped), with(alive(2, 3), bootstrapped), with(alive(3, 3), bootstrapped)},
			want:    BootstrapJoin,
		},
		"wiped node and two late joiners, the cluster's others are down": {
			members: []Member{alive(4, 3), alive(5, 3), alive(6, 3), with(member(2, StatusFailed, 3), bootstrapped)},
			want:    BootstrapJoin, wantReason: "n2 (failed)",
		},
		"wiped node, old members replaced by wiped ones": {
			members: append(agreed(alive(4, 3), alive(5, 3), alive(6, 3)), with(member(2, StatusReplaced, 3), bootstrapped)),
			want:    BootstrapFound, wantConfig: founders(4, 5, 6),
		},
		"different numbers": {
			members: []Member{alive(1, 3), alive(2, 5)},
			want:    BootstrapWait, wantErr: ErrBootstrapExpectMismatch,
		},
		"different numbers no longer matter beside a cluster": {
			members: []Member{alive(4, 5), with(alive(1, 3), bootstrapped), alive(2, 3)},
			want:    BootstrapJoin, wantReason: "n1",
		},
		"a number that differs on a failed member does not count": {
			members: append(trio(), member(4, StatusFailed, 5)),
			want:    BootstrapFound, wantConfig: founders(1, 2, 3),
		},
		"one name twice": {
			members: agreed(alive(1, 3), alive(2, 3), with(alive(3, 3), func(m *Member) { m.Name = "n1" })),
			want:    BootstrapWait, wantReason: `"n1"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DecideBootstrap(BootstrapInput{Self: tc.members[0], Members: tc.members, HasState: tc.hasState, SeedsTried: !tc.notTried})
			if !errors.Is(err, tc.wantErr) {
				t.Fatalf("error = %v, want %v", err, tc.wantErr)
			}
			if got.Action != tc.want || !strings.Contains(got.Reason, tc.wantReason) {
				t.Errorf("decision = %s (%s), want %s (%s)", got.Action, got.Reason, tc.want, tc.wantReason)
			}
			if diff := cmp.Diff(tc.wantConfig, got.Configuration); diff != "" {
				t.Error(diff)
			}
		})
	}
}
