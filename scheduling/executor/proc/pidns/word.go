package pidns

import (
	"encoding/json"
	"fmt"
	"syscall"

	"github.com/rota-scheduler/rota/scheduling/executor/proc/cgroup"
)

// Order is what an init is to start. Both halves are one executable, so it needs
// no versions.
type Order struct {
	// Path is the program, as exec takes it. Empty: prove that it could be done,
	// and start nothing.
	Path      string
	Argv, Env []string
	Dir       string
	User      *syscall.Credential // nil: as the init
	Umask     int                 // below 0: the init's
	Group     cgroup.Door
	// Expiry is the instant (CLOCK_BOOTTIME, ns) from which nothing is started; 0:
	// none.
	Expiry int64
}

// Kind is what a word says.
type Kind string

// The kinds of words.
const (
	Ready   Kind = "ready"   // an order without a program could be carried out
	Started Kind = "started" // the exec is confirmed
	Failed  Kind = "failed"  // nothing was started; the init ends
	Expired Kind = "expired" // likewise, because of the expiry
	Ended   Kind = "ended"   // the program has
)

// Word is what an init says of its order.
type Word struct {
	Kind Kind
	// At is when the exec was confirmed (CLOCK_BOOTTIME, ns). Started only.
	At int64 `json:",omitempty"`
	// Status is the program's. Ended only.
	Status syscall.WaitStatus `json:",omitempty"`
	// Errno is from the fork or the exec of the program, or 0. Failed only.
	Errno syscall.Errno `json:",omitempty"`
	// Text says what failed, if Errno is 0, or (Started) what did not matter.
	Text string `json:",omitempty"`
}

// Err is what kept a program from being started.
func (w Word) Err() error {
	if w.Errno != 0 {
		return w.Errno
	}
	return fmt.Errorf("%s", w.Text)
}

// maxWord bounds a word; each is one packet.
const maxWord = 4 << 10

// encode never makes a packet that is too long: the text gives way.
func (w Word) encode() []byte {
	w.Text = w.Text[:min(len(w.Text), maxWord/8)] // each byte takes six at most
	b, err := json.Marshal(w)
	if err != nil {
		return nil // not reached: every field has a JSON form
	}
	return b
}

func decodeWord(b []byte) (w Word, err error) {
	if err := json.Unmarshal(b, &w); err != nil {
		return w, fmt.Errorf("word of an init: %w", err)
	}
	return w, nil
}
