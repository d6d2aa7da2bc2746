package executor

import (
	"testing"
	"time"
)

func TestLease(t *testing.T) {
	const s = int64(time.Second)
	type grant struct {
		sent int64
		Grant
	}
	ok := func(sent, age int64, floor uint64) grant {
		return grant{sent, Grant{OK: true, Age: time.Duration(age), Floor: floor}}
	}
	for _, tt := range []struct {
		name    string
		grants  []grant
		at      int64
		applied uint64
		base    int64
		want    bool
	}{
		{"never granted", nil, 1, 100, 0, false},
		{"from the instant it was sent", []grant{ok(10*s, 0, 1)}, 12 * s, 1, 10 * s, true},
		{"less the age of the leader's proof", []grant{ok(10*s, 3*s, 1)}, 9 * s, 1, 7 * s, true},
		{"until just before its end", []grant{ok(10*s, 0, 1)}, 13*s - 1, 1, 10 * s, true},
		{"not at its end", []grant{ok(10*s, 0, 1)}, 13 * s, 1, 10 * s, false},
		{"not below its floor", []grant{ok(10*s, 0, 7)}, 11 * s, 6, 10 * s, false},
		{"a refusal changes nothing", []grant{ok(10*s, 0, 1), {12 * s, Grant{Floor: 99}}}, 12 * s, 1, 10 * s, true},
		{"an older answer does not shorten it", []grant{ok(10*s, 0, 1), ok(11*s, 5*s, 1)}, 12 * s, 1, 10 * s, true},
		{"but raises the floor", []grant{ok(10*s, 0, 1), ok(11*s, 5*s, 9)}, 12 * s, 8, 10 * s, false},
		{"the floor does not fall", []grant{ok(10*s, 0, 9), ok(11*s, 0, 1)}, 12 * s, 8, 11 * s, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := NewLease(3 * time.Second)
			for _, g := range tt.grants {
				l.Renew(g.sent, g.Grant)
			}
			base, end, valid := l.Check(tt.at, tt.applied)
			if base != tt.base || end != tt.base+3*s || valid != tt.want {
				t.Errorf("base %d, end %d, valid %v; want base %d, valid %v", base, end, valid, tt.base, tt.want)
			}
		})
	}
}

func TestADroppedLeaseIsGoneForGood(t *testing.T) {
	l := NewLease(time.Second)
	l.Renew(1, Grant{OK: true})
	renewed := l.Renewed()
	l.Drop()
	if base := l.Renew(5, Grant{OK: true}); base != 0 {
		t.Errorf("renewed with base %d", base)
	}
	if _, _, ok := l.Check(6, 1); ok {
		t.Error("still valid")
	}
	select {
	case <-renewed:
		t.Error("told of a renewal")
	default:
	}
}

func TestRenewedTellsOfEachRenewal(t *testing.T) {
	l := NewLease(time.Second)
	for i := int64(1); i < 4; i++ {
		ch := l.Renewed()
		l.Renew(i, Grant{OK: true})
		select {
		case <-ch:
		default:
			t.Fatalf("renewal %d was not told", i)
		}
	}
}
