package executor

import (
	"testing"

	"github.com/rota-scheduler/rota/fsm"
)

func TestUmask(t *testing.T) {
	if got := umask(""); got == nil || *got != 0o22 {
		t.Errorf("no umask reads as %v", got)
	}
	if got := umask("0027"); got == nil || *got != 0o27 {
		t.Errorf("0027 reads as %v", got)
	}
}

func TestACallThatMayHaveBeenMadeIsNotRepeated(t *testing.T) {
	task := fsm.Task{Driver: fsm.DriverHTTP, HTTP: &fsm.HTTPCall{URL: "http://127.0.0.1/"}}
	if task.RestartOnLoss() {
		t.Error("a call is repeated although nobody knows whether it was made")
	}
	task.Idempotent = true
	if !task.RestartOnLoss() {
		t.Error("a call that may be made twice is not repeated")
	}
}
