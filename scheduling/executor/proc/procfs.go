package proc

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// procStat is what /proc says of one process. pid and start together name a
// process for the whole uptime; a pid alone may be used again.
type procStat struct {
	pid, ppid, pgrp, session int
	state                    byte
	start                    uint64 // clock ticks since boot
}

// procKey names a process for the whole uptime.
type procKey struct {
	pid   int
	start uint64
}

func (p procStat) key() procKey { return procKey{p.pid, p.start} }

func (p procStat) dead() bool { return p.state == 'Z' || p.state == 'X' || p.state == 'x' }

// readStat reads one process; false means that it is gone.
func readStat(pid int) (procStat, bool) {
	var buf [1024]byte
	n, err := readProc("/proc/"+strconv.Itoa(pid)+"/stat", buf[:])
	if err != nil {
		return procStat{}, false
	}
	return parseStat(pid, buf[:n])
}

// parseStat parses the content of /proc/PID/stat. The command's name, in
// parentheses, may hold anything, parentheses included.
func parseStat(pid int, b []byte) (procStat, bool) {
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return procStat{}, false
	}
	f := bytes.Fields(b[end+1:])
	if len(f) < 20 || len(f[0]) != 1 {
		return procStat{}, false
	}
	p := procStat{pid: pid, state: f[0][0]}
	var errs [4]error
	p.ppid, errs[0] = strconv.Atoi(string(f[1]))
	p.pgrp, errs[1] = strconv.Atoi(string(f[2]))
	p.session, errs[2] = strconv.Atoi(string(f[3]))
	p.start, errs[3] = strconv.ParseUint(string(f[19]), 10, 64)
	for _, err := range errs {
		if err != nil {
			return procStat{}, false
		}
	}
	return p, true
}

// readProc reads the beginning of a small /proc file with three system calls.
func readProc(path string, buf []byte) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	total := 0
	for total < len(buf) {
		n, err := unix.Read(fd, buf[total:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return total, err
		}
		if n == 0 {
			break
		}
		total += n
	}
	return total, nil
}

// processes lists every process of the host, dead ones included.
func processes() ([]procStat, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var out []procStat
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := readStat(pid); ok {
			out = append(out, p)
		}
	}
	return out, nil
}

// maxEnvironBytes bounds how much of a process's environment is searched for
// the marker.
const maxEnvironBytes = 256 << 10

// markerOf returns the mark that a process carries in its environment. blank
// means that the environment is empty or cannot be read, which is also so for
// an instant in the middle of an exec (ESRCH, or no bytes) and of an exit.
func markerOf(pid int, buf []byte) (mark string, blank bool) {
	n, err := readProc("/proc/"+strconv.Itoa(pid)+"/environ", buf)
	if err != nil || n == 0 {
		return "", true
	}
	for kv := range bytes.SplitSeq(buf[:n], []byte{0}) {
		if v, ok := bytes.CutPrefix(kv, []byte(Marker+"=")); ok {
			mark = string(v) // the last one wins, as it was added last
		}
	}
	return mark, false
}

// signalProcess sends a signal to exactly this process, never to another one
// that got its pid meanwhile.
func signalProcess(p procStat, sigs ...unix.Signal) {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return // gone
	}
	defer unix.Close(fd)
	if now, ok := readStat(p.pid); !ok || now.start != p.start {
		return
	}
	for _, sig := range sigs {
		_ = unix.PidfdSendSignal(fd, sig, nil, 0) // it can only be gone by now
	}
}

// alive drops the dead ones from a list, in place.
func alive(all []procStat) []procStat {
	return slices.DeleteFunc(all, procStat.dead)
}

// closure adds to the seeds every descendant of theirs.
func closure(all []procStat, seed func(procStat) bool) []procStat {
	children := make(map[int][]procStat, len(all))
	var queue []procStat
	seen := make(map[int]bool)
	for _, p := range all {
		children[p.ppid] = append(children[p.ppid], p)
		if seed(p) {
			queue = append(queue, p)
			seen[p.pid] = true
		}
	}
	for i := 0; i < len(queue); i++ {
		for _, c := range children[queue[i].pid] {
			if !seen[c.pid] {
				seen[c.pid] = true
				queue = append(queue, c)
			}
		}
	}
	return queue
}
