package proc

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// What has appeared since a SIGKILL gets one too, after a pause that doubles
	// from the first to the second of these.
	minKillAgain = 20 * time.Millisecond
	maxKillAgain = time.Second
	// Leftovers are looked at again after a pause that doubles from the first
	// to the second of these.
	minLeftoverPause = time.Millisecond
	maxLeftoverPause = 250 * time.Millisecond
)

// act does what is due on a process that is still there.
func (a *attempt) act() {
	a.mu.Lock()
	sig, due := a.dueLocked(time.Now(), a.reason != "")
	a.mu.Unlock()
	if due {
		_ = a.signal(sig) // what could not be listed is tried again at the next round
	}
}

// dueLocked says which signal is due to an attempt that is to end, and moves it
// to the next stage.
func (a *attempt) dueLocked(now time.Time, end bool) (sig unix.Signal, due bool) {
	switch {
	case !end:
		return 0, false
	case !a.termed && a.grace > 0:
		a.termed, a.killAt = true, now.Add(a.grace)
		return unix.SIGTERM, true
	case !a.termed || !now.Before(a.killAt):
		a.again = min(max(2*a.again, minKillAgain), maxKillAgain)
		a.termed, a.killAt = true, now.Add(a.again)
		return unix.SIGKILL, true
	}
	return 0, false
}

// signal reaches everything of the attempt: the process group, in one stroke
// that no fork escapes, and whatever has left it, which is looked up before the
// first death cuts a line of descent; then what only the control group knows of.
// Nothing gets a SIGTERM twice: to some programs the second one means hurry. The
// main process is not reaped yet, so the process group's number is its own.
//
// The init of an isolated attempt passes a SIGTERM on, and its death ends all.
func (a *attempt) signal(sig unix.Signal) error {
	if a.box != nil {
		_ = a.signalMain(sig) // ESRCH: it is over
		if sig == unix.SIGKILL {
			a.group.Kill()
		}
		return nil
	}
	sigs := []unix.Signal{sig}
	if sig == unix.SIGTERM {
		sigs = append(sigs, unix.SIGCONT) // the stopped ones could not hear it
	}
	members, err := a.orphan.members(&a.kin)
	told := func(pid int) bool {
		return slices.ContainsFunc(members, func(p procStat) bool { return p.pid == pid })
	}
	if sig == unix.SIGKILL {
		a.group.Kill()
	}
	for _, s := range sigs {
		_ = unix.Kill(-a.pid, s) // ESRCH: no group any more, and nothing to do
	}
	for _, p := range members {
		if p.pgrp != a.pid {
			signalProcess(p, sigs...)
		}
	}
	if sig != unix.SIGKILL {
		a.group.Signal(told, sigs...)
	}
	return err
}

// signalMain reaches the process that was forked, and never another one.
func (a *attempt) signalMain(sig unix.Signal) error {
	return unix.PidfdSendSignal(a.pidfd, sig, nil, 0)
}

// clearLeftovers ends what the main process left behind, and returns once
// nothing of it is there.
func (a *attempt) clearLeftovers() (err error) {
	if a.box != nil {
		err = a.awaitInit()
	}
	for pause := minLeftoverPause; ; pause = min(2*pause, maxLeftoverPause) {
		gone, sure := a.gone()
		if gone && sure {
			return err
		}
		if !gone {
			a.mu.Lock()
			sig, due := a.dueLocked(time.Now(), true)
			a.mu.Unlock()
			if due {
				err = a.signal(sig)
			}
		}
		time.Sleep(pause)
	}
}

// gone says whether anything is left behind that is known of. A control group is
// sure of what it holds; but root may have moved a process out of it, so that it
// is not the only one to be asked.
func (a *attempt) gone() (gone, sure bool) {
	if !a.group.Remove() {
		return false, true
	}
	if a.box != nil {
		return true, true
	}
	left, unsure := a.orphan.left(&a.kin)
	return !left, !unsure || a.group != nil
}

// reap frees the main process and returns how it ended.
func (a *attempt) reap() (status unix.WaitStatus) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		_, err := unix.Wait4(a.pid, &status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			status = ^unix.WaitStatus(0)
		}
		break
	}
	if a.poll != nil {
		a.poll.Close()
		a.poll = nil
	} else {
		unix.Close(a.pidfd)
	}
	if a.timeout != nil {
		a.timeout.Stop()
	}
	a.closeBoxLocked()
	if a.verdict != nil {
		status = *a.verdict
	}
	return status
}
