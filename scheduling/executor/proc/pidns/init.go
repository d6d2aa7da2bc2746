package pidns

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Command is the argument that makes this executable an init.
const Command = "init-pidns"

// exitFailed is the status of an init that has started nothing, as shells have it.
const exitFailed = 127

// Wanted says whether this process was forked to be an init.
func Wanted(args []string) bool {
	return len(args) == 2 && args[1] == Command && os.Getpid() == 1
}

// name is what ps and top show of an init.
var name = []byte("rota-init\x00")

// forwarded are the signals that an init passes on to everything in its namespace.
var forwarded = []os.Signal{
	unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGCONT,
}

// Main is the init. It returns the status to exit with, which ends the namespace.
func Main() int {
	// Groups and capabilities are a thread's. It must be the one that forks.
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0) // for people who look
	unix.CloseOnExec(wordsFD)
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, forwarded...) // they wait until there is somebody to hear them
	go endWithParent()
	pid, status := begin()
	if pid == 0 {
		return status
	}
	go forward(signals)
	return reap(pid)
}

// endWithParent reads until the other end is closed: nothing is ever said there.
func endWithParent() {
	var b [1]byte
	for {
		if n, err := unix.Read(wordsFD, b[:]); n <= 0 && err != unix.EINTR {
			os.Exit(exitFailed)
		}
	}
}

// begin carries the order out. Without a program that runs it returns a status.
func begin() (pid, status int) {
	o, err := readOrder(os.NewFile(orderFD, "order"))
	if err == nil {
		err = enclose()
	}
	switch {
	case err != nil:
		say(Word{Kind: Failed, Text: err.Error()})
		return 0, exitFailed
	case o.Path == "":
		say(Word{Kind: Ready})
		return 0, 0
	}
	pid, w := o.start()
	say(w)
	if pid == 0 {
		return 0, exitFailed
	}
	for fd := range 3 { // the program's, and nobody else's
		_ = unix.Close(fd)
	}
	return pid, 0
}

func readOrder(f *os.File) (o Order, err error) {
	defer f.Close()
	if err := gob.NewDecoder(f).Decode(&o); err != nil {
		return o, fmt.Errorf("reading the order: %w", err)
	}
	return o, nil
}

// enclose gives the namespace mounts of its own, and a /proc that shows it.
func enclose() error {
	// Nothing that is mounted here is to be seen outside; the reverse may be.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("taking the mounts apart from the host's: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	return nil
}

// start forks and execs the program. pid is 0 unless it runs.
func (o *Order) start() (pid int, w Word) {
	attr := &syscall.ProcAttr{
		Dir: o.Dir, Env: o.Env, Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setsid: true, Credential: o.User},
	}
	// What was needed for /proc is not the program's.
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return 0, Word{Kind: Failed, Text: fmt.Sprintf("giving up capabilities: %v", err)}
	}
	if o.Umask >= 0 {
		unix.Umask(o.Umask)
	}
	group, err := o.Group.Open()
	if err == nil {
		err = group.Enter(attr.Sys)
	}
	if err != nil {
		return 0, failed(err)
	}
	if o.Expiry != 0 && now() >= o.Expiry {
		return 0, Word{Kind: Expired}
	}
	pid, err = syscall.ForkExec(o.Path, o.Argv, attr)
	w = Word{Kind: Started, At: now()}
	if stray := group.Leave(); stray != nil {
		w.Text = stray.Error()
	}
	if err != nil {
		return 0, failed(err)
	}
	return pid, w
}

func failed(err error) Word {
	w := Word{Kind: Failed, Text: err.Error()}
	errors.As(err, &w.Errno)
	return w
}

// say tells the parent. It does not block: a packet is small, and few are said.
func say(w Word) {
	for {
		if _, err := unix.Write(wordsFD, w.encode()); err != unix.EINTR {
			return // an error means that the parent is gone; see endWithParent
		}
	}
}

// now reads CLOCK_BOOTTIME, which is the same in every namespace of pids.
func now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0 // not reached: the parent has checked that there is this clock
	}
	return ts.Nano()
}

// forward passes signals on, to all at once so that no fork escapes. Those that
// are stopped would not hear of an end.
func forward(signals <-chan os.Signal) {
	for s := range signals {
		sig, ok := s.(syscall.Signal)
		if !ok {
			continue
		}
		_ = unix.Kill(-1, sig) // ESRCH: nobody is left
		switch sig {
		case unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT:
			_ = unix.Kill(-1, unix.SIGCONT)
		}
	}
}

// reap collects every process of the namespace as it ends, tells how the program
// did, and returns once nobody is left.
func reap(program int) (status int) {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil: // ECHILD
			return status
		case pid == program && (ws.Exited() || ws.Signaled()):
			say(Word{Kind: Ended, Status: ws})
			if status = ws.ExitStatus(); ws.Signaled() {
				status = 128 + int(ws.Signal())
			}
		}
	}
}
