package pidns

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/rota-scheduler/rota/scheduling/executor/proc/cgroup"
)

// An order arrives as it was given, zeros and odd bytes included.
func TestOrder(t *testing.T) {
	orders := map[string]Order{
		"trial": {Umask: -1},
		"root":  {Path: "/bin/true", Argv: []string{"true", ""}, Env: []string{"A=\xff\n"}, User: &syscall.Credential{}},
		"all": {
			Path: "/bin/sh", Argv: []string{"sh"}, Env: []string{"A=b"}, Dir: "/tmp", Umask: 0o27, Expiry: 7,
			User:  &syscall.Credential{Uid: 1, Gid: 2, Groups: []uint32{3}},
			Group: cgroup.Door{V2: "/a", V1: []cgroup.Passage{{Dir: "/b", Home: "/c"}}, PidsDir: "/d", Pids: 9},
		},
		"long": {Path: "/bin/true", Argv: []string{strings.Repeat("x", 4<<20)}},
	}
	for name, want := range orders {
		t.Run(name, func(t *testing.T) {
			fd, err := seal(want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readOrder(os.NewFile(uintptr(fd), "order"))
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("order (-want +got), %v:\n%.1000s", err, diff)
			}
		})
	}
}

func TestWords(t *testing.T) {
	b, err := Prepare(Order{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	far, err := unix.FcntlInt(uintptr(b.init), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.Forked()
	said := []Word{
		{Kind: Started, At: 1 << 60}, {Kind: Failed, Errno: unix.ENOENT, Text: "no such file"},
		{Kind: Ended, Status: 9}, {Kind: Failed, Text: strings.Repeat("\x00", 3*maxWord)},
	}
	for _, w := range said {
		if _, err := unix.Write(far, w.encode()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := unix.Write(far, []byte("{")); err != nil {
		t.Fatal(err)
	}
	said[3].Text = said[3].Text[:maxWord/8]
	for _, want := range said {
		if got, err := b.Read(); err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	var syntax *json.SyntaxError
	if _, err := b.Read(); !errors.As(err, &syntax) {
		t.Errorf("nonsense: %v", err)
	}
	if err := b.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	if err := b.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	unix.Close(far)
	if _, err := b.Read(); err != io.EOF {
		t.Errorf("after the init's end: %v, want EOF", err)
	}
}

func TestErr(t *testing.T) {
	if err := (Word{Errno: unix.EACCES, Text: "denied"}).Err(); err != unix.EACCES {
		t.Errorf("%v, want the errno", err)
	}
	if err := (Word{Text: "mounting /proc: no"}).Err(); err.Error() != "mounting /proc: no" {
		t.Errorf("%v, want the text", err)
	}
}

// Only a process that was forked to be an init is one.
func TestWanted(t *testing.T) {
	if Wanted([]string{"rota", Command}) {
		t.Error("a process whose pid is not 1 takes itself for an init")
	}
}
