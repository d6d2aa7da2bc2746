package dev

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
)

func TestView(t *testing.T) {
	want := `rota dev   2 of 3 nodes up   42s   Ctrl-C stops everything

NODE  ROLE      STATUS         PID  RUNNING   ARMED  HTTP
n1    voter     ready          101        0       3  http://127.0.0.1:7700
n2    -         down             -        0       0  http://127.0.0.1:7710
n3    ★ leader  ready          103        1       0  http://127.0.0.1:7720

Look closer from another terminal:  export ROTA_ADDR=http://127.0.0.1:7700
Kill the leader and watch the runs go on:  kill -9 103
11:59:59  n2 (pid 102) is gone: signal: killed. It is started again in 2s.

1 running   1 succeeded   1 failed   1 skipped (overlap)   late: half within 2ms, 99% within 2ms
DUE       JOB                   STATE      NODE     LATE    TOOK  RUN                         WHY
11:59:59  tick                  running    n3        2ms      0s  RUN-1000                    -
11:59:58  tick                  succeeded  n1        2ms     1ms  RUN-2000                    -
11:59:57  tick                  failed     n1,n3     2ms     1ms  RUN-3000                    exit code 1
`
	got := strings.Join(picture().view(present, render.Screen{Width: 120, Height: 40}), "\n") + "\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

var sequence = regexp.MustCompile("\x1b\\[[0-9;]*m")

// TestViewFits: whatever the terminal, no line is wider and there are no more
// lines than it has.
func TestViewFits(t *testing.T) {
	m := picture()
	for width := 1; width < 140; width += 7 {
		for height := 1; height < 24; height += 2 {
			screen := render.Screen{Width: width, Height: height, Color: true}
			lines := m.view(present, screen)
			if len(lines) > height {
				t.Fatalf("%d lines on %d", len(lines), height)
			}
			for _, line := range lines {
				if got := render.Width(sequence.ReplaceAllString(line, "")); got > width {
					t.Fatalf("%d cells on %d: %q", got, width, line)
				}
			}
		}
	}
}

func TestViewBeforeTheCluster(t *testing.T) {
	m := newModel(present)
	m.members = []memberInfo{{"n1", 7, "http://a"}}
	got := strings.Join(m.view(present, render.Screen{Width: 100, Height: 20}), "\n")
	for _, want := range []string{"starting", "(no leader now)", "0 running"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	p := &plain{out: &out}
	run := runRow{tick(1, 0, fsm.RunSucceeded), "n1"}
	pending := runRow{tick(1, 0, fsm.RunPending), ""}
	fire := fsm.Fire{Namespace: "ops", Job: "slow", ScheduledAt: at(0), Outcome: fsm.OutcomeSkipped, Reason: fsm.ReasonOverlap}
	for _, err := range []error{
		p.run(present, &pending), p.run(present, &run), p.fire(present, &fire), p.notice(notice{present, "n1\nleads."}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := `12:00:00.000  tick              RUN0                        succeeded  n1        2ms
12:00:00.000  ops/slow          -                           skipped    -           -  overlap, was due at 12:00:00
12:00:00.000  # n1 leads.
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestPainter(t *testing.T) {
	var out bytes.Buffer
	p := &painter{out: &out}
	size := render.Screen{Width: 10, Height: 3}
	steps := []struct {
		name  string
		lines []string
		size  render.Screen
		want  string
	}{
		{"first", []string{"a", "b"}, size, "\x1b[1;1H\x1b[Ka\x1b[2;1H\x1b[Kb\x1b[3;1H\x1b[J"},
		{"nothing new", []string{"a", "b"}, size, ""},
		{"one line", []string{"a", "B"}, size, "\x1b[2;1H\x1b[KB"},
		{"more", []string{"a", "B", "c"}, size, "\x1b[3;1H\x1b[Kc"},
		{"fewer", []string{"a"}, size, "\x1b[2;1H\x1b[J"},
		{"another size", []string{"a", "b"}, render.Screen{Width: 10, Height: 2}, "\x1b[1;1H\x1b[Ka\x1b[2;1H\x1b[Kb"},
	}
	for _, s := range steps {
		out.Reset()
		if err := p.draw(s.lines, s.size); err != nil {
			t.Fatal(err)
		}
		got := strings.TrimSuffix(strings.TrimPrefix(out.String(), beginUpdate), endUpdate)
		if got != s.want {
			t.Errorf("%s: %q, want %q", s.name, got, s.want)
		}
	}
}

// TestPainterGivesTheScreenBackOnce: the second time would be in the way of what
// the shell has written meanwhile.
func TestPainterGivesTheScreenBackOnce(t *testing.T) {
	var out bytes.Buffer
	p := &painter{out: &out}
	for _, step := range []func() error{p.close, p.open, p.close, p.close} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != enterScreen+leaveScreen {
		t.Errorf("wrote %q", out.String())
	}
}
