package membership

import (
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

func TestConflicts(t *testing.T) {
	twin := func(n int, addr string, s Status) Member {
		m := member(n, s, 0)
		m.Name, m.Addr = "twin", addr
		return m
	}
	for name, tc := range map[string]struct {
		members []Member
		want    int
	}{
		"two live ones":                       {[]Member{twin(1, "10.0.0.1:1", StatusAlive), twin(2, "10.0.0.2:1", StatusAlive)}, 1},
		"one of them gone":                    {[]Member{twin(1, "10.0.0.1:1", StatusFailed), twin(2, "10.0.0.2:1", StatusAlive)}, 0},
		"one machine, wiped a moment ago":     {[]Member{twin(1, "10.0.0.1:1", StatusAlive), twin(2, "10.0.0.1:1", StatusAlive)}, 0},
		"one machine wiped, another besides":  {[]Member{twin(1, "10.0.0.1:1", StatusAlive), twin(2, "10.0.0.1:1", StatusAlive), twin(3, "10.0.0.3:1", StatusAlive)}, 1},
		"different names at different places": {[]Member{member(1, StatusAlive, 0), member(2, StatusAlive, 0)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := conflicts(tc.members); len(got) != tc.want {
				t.Errorf("conflicts = %+v, want %d", got, tc.want)
			}
		})
	}
}

func TestTableIsBoundedAndForgets(t *testing.T) {
	table := newTable(time.Hour)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range maxGoneMembers + 5 {
		id := uid(n)
		table.alive(&memberlist.Node{Name: id}, meta{Name: id}, now)
		table.gone(id, now.Add(time.Duration(n)*time.Millisecond))
	}
	members, changed := table.snapshot()
	if len(members) != maxGoneMembers || members[0].ID != uid(5) {
		t.Errorf("%d members, the first is %s; want the latest %d", len(members), members[0].ID, maxGoneMembers)
	}
	members[0].Labels = map[string]string{"changed": "by the reader"}
	table.alive(&memberlist.Node{Name: uid(7)}, meta{Name: "seven"}, now)
	select {
	case <-changed:
	default:
		t.Error("a change is not announced")
	}
	table.gone(uid(7), now.Add(2*time.Hour))
	if members, _ = table.snapshot(); len(members) != 1 || members[0].ID != uid(7) {
		t.Errorf("members = %+v, want only the one that has just gone", members)
	}
}
