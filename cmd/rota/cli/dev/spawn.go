package dev

import (
	"os/exec"
	"runtime"
	"syscall"
)

// spawner starts children on one thread that lives as long as it does. The
// kernel sends a child its parent-death signal when the thread that started it
// ends, not the process; and Go ends threads as it likes.
type spawner struct {
	requests chan spawnRequest
	stop     chan struct{}
	done     chan struct{}
}

type spawnRequest struct {
	cmd    *exec.Cmd
	answer chan<- error
}

func newSpawner() *spawner {
	s := &spawner{requests: make(chan spawnRequest), stop: make(chan struct{}), done: make(chan struct{})}
	go s.loop()
	return s
}

func (s *spawner) loop() {
	defer close(s.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		select {
		case r := <-s.requests:
			r.answer <- r.cmd.Start()
		case <-s.stop:
			return
		}
	}
}

// start starts cmd in a process group of its own, so that a Ctrl-C on the
// terminal reaches only this process, which then ends the children in order. If
// this process is killed they get SIGTERM, and so end their jobs too; SIGKILL
// would leave the jobs behind.
func (s *spawner) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	answer := make(chan error, 1)
	s.requests <- spawnRequest{cmd, answer}
	return <-answer
}

// close ends the spawner. Call it when every child has ended.
func (s *spawner) close() {
	close(s.stop)
	<-s.done
}
