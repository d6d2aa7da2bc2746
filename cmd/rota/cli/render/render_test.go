package render_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
)

func TestSpan(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"},
		{999, "0µs"},
		{876 * time.Microsecond, "876µs"},
		{1999 * time.Microsecond, "1.9ms"},
		{2 * time.Millisecond, "2ms"},
		{99_999 * time.Microsecond, "99.9ms"},
		{999 * time.Millisecond, "999ms"},
		{9999 * time.Millisecond, "9.9s"},
		{59_999 * time.Millisecond, "59s"},
		{time.Minute, "1m"},
		{3*time.Minute + 20*time.Second, "3m20s"},
		{2*time.Hour + 5*time.Minute + time.Second, "2h5m"},
		{50 * time.Hour, "2d2h"},
		{-3 * time.Millisecond, "-3ms"},
		{math.MaxInt64, "106751d23h"},
	}
	for _, tt := range tests {
		if got := render.Span(tt.d); got != tt.want {
			t.Errorf("%d: got %s, want %s", tt.d, got, tt.want)
		}
	}
}

func TestWhen(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		d    time.Duration
		want string
	}{
		{0, "now"},
		{999 * time.Millisecond, "now"},
		{12 * time.Second, "in 12s"},
		{-119 * time.Second, "119s ago"},
		{-2 * time.Minute, "2m ago"},
		{-119 * time.Minute, "119m ago"},
		{3 * time.Hour, "in 3h"},
		{-14 * 24 * time.Hour, "14d ago"},
		{-15 * 24 * time.Hour, "2026-02-14"},
	}
	for _, tt := range tests {
		if got := render.When(fsm.At(now.Add(tt.d)), now); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.d, got, tt.want)
		}
	}
	if got := render.When(0, now); got != "" {
		t.Errorf("unset: %q", got)
	}
}

func TestTookAndLate(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	start := fsm.At(now.Add(-90500 * time.Millisecond))
	if got := render.Took(start, 0, now); got != "1m30s" {
		t.Errorf("running: %q", got)
	}
	if got := render.Took(start, start.Add(fsm.Duration(1500*time.Microsecond)), now); got != "1.5ms" {
		t.Errorf("ended: %q", got)
	}
	if got := render.Took(fsm.At(now.Add(time.Second)), 0, now); got != "0s" {
		t.Errorf("a start that this clock has not reached: %q", got)
	}
	if got := render.Late(start, start+2e6) + render.Late(0, start) + render.Late(start, 0); got != "2ms" {
		t.Errorf("late: %q", got)
	}
}

func table() *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Title: "NAME"}, {Title: "N", Right: true}, {Title: "TEXT", Flexible: true}, {Title: "LAST"},
	}}
	t.Add(render.Text("报告"), render.Text("1"), render.Text("a text of some length, longer than others"), render.Text("x"))
	t.Add(render.State(fsm.RunFailed), render.Text("200"), render.Text("two\nlines\x1b[2J"))
	return t
}

func TestTableInAPipe(t *testing.T) {
	var b bytes.Buffer
	if err := table().Write(&b, render.ScreenOf(&b)); err != nil {
		t.Fatal(err)
	}
	want := `NAME      N  TEXT                                       LAST
报告      1  a text of some length, longer than others  x
failed  200  two lines�[2J                              -
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

// TestTableFits: whatever the width, no line is wider, and narrow screens cut the
// flexible column first.
func TestTableFits(t *testing.T) {
	for width := 1; width < 80; width++ {
		for _, line := range table().Lines(render.Screen{Width: width, Height: 24}) {
			if got := render.Width(line); got > width {
				t.Errorf("width %d: %d cells: %q", width, got, line)
			}
		}
	}
	lines := table().Lines(render.Screen{Width: 33, Height: 24})
	if want := "报告      1  a text of som…  x"; lines[1] != want {
		t.Errorf("got %q, want %q", lines[1], want)
	}
}

func TestTableColors(t *testing.T) {
	lines := table().Lines(render.Screen{Width: 80, Height: 24, Color: true})
	if !strings.HasPrefix(lines[2], "\x1b[31mfailed\x1b[0m  200  ") {
		t.Errorf("got %q", lines[2])
	}
}

func TestCut(t *testing.T) {
	tests := []struct {
		text  string
		width int
		want  string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"报告书", 5, "报告…"},
		{"报告书", 4, "报…"},
		{"abc", 1, "…"},
		{"abc", 0, ""},
		{"e\u0301e\u0301", 2, "e\u0301e\u0301"},
	}
	for _, tt := range tests {
		if got := render.Cut(tt.text, tt.width); got != tt.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", tt.text, tt.width, got, tt.want)
		}
	}
}

func TestClean(t *testing.T) {
	if got := render.Clean("a\tb\r\nc\x00\x9b\u202e"); got != "a b  c���" {
		t.Errorf("got %q", got)
	}
}
