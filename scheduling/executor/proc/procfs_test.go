package proc

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	tail := " S 5 6 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 0 0\n"
	want := procStat{pid: 9, ppid: 5, pgrp: 6, session: 7, state: 'S', start: 12345}
	tests := []struct {
		name, in string
		ok       bool
	}{
		{"plain", "9 (sh)" + tail, true},
		{"name with spaces and parentheses", "9 (a) Z 1 (b)" + tail, true},
		{"empty", "", false},
		{"cut off", "9 (sh) S 5 6", false},
		{"not a number", "9 (sh) S x 6 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345", false},
	}
	for _, tt := range tests {
		got, ok := parseStat(9, []byte(tt.in))
		if ok != tt.ok {
			t.Errorf("%s: ok = %v", tt.name, ok)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(procStat{})); ok && diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestReadStatOfSelf(t *testing.T) {
	p, ok := readStat(os.Getpid())
	sid, err := unix.Getsid(0)
	if !ok || err != nil || p.ppid != os.Getppid() || p.session != sid || p.start == 0 || p.dead() {
		t.Errorf("self: %+v, %v, %v", p, ok, err)
	}
}

func TestMonoIsBoottime(t *testing.T) {
	var ts unix.Timespec
	before := Mono()
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		t.Fatal(err)
	}
	if after := Mono(); before > ts.Nano() || ts.Nano() > after {
		t.Errorf("%d, %d, %d are not in order", before, ts.Nano(), after)
	}
}
