package proc

import (
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// orphans are the processes that lost their parents below us. As a subreaper
// this process adopts them, and they hang off its first thread, where none of
// its own children do. So one read of that thread's list of children says
// whether any attempt has left anything behind: a process left behind is below
// some orphan. That is what makes ending a short attempt cheap.
type orphans struct {
	self int
	list *os.File // /proc/self/task/<first thread>/children

	// mu keeps the list still: the kernel may skip an entry where another one
	// is reaped in the middle of a read.
	mu     sync.Mutex
	blank  map[procKey]time.Time // since when an orphan's environment is empty
	marked map[procKey]string    // the marks that orphans have shown
	env    []byte

	quick, full *sharedLook
}

// kin is how the processes of one attempt are recognised. Only the goroutine
// that owns the attempt's process uses it.
type kin struct {
	session int
	mark    string // value of Marker
	// known were found below one of its processes, and stay its own when that
	// parent dies before them.
	known map[procKey]bool
}

// blankPatience is how long a process with an empty environment may still be on
// its way through an exec before it counts as nobody's. The instant is short,
// but on a busy machine the process may be made to wait in the middle of it.
const blankPatience = 100 * time.Millisecond

func newOrphans() (*orphans, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("%w: cannot become a child subreaper: %w", ErrUnsupported, err)
	}
	self := os.Getpid()
	path := fmt.Sprintf("/proc/self/task/%d/children", self)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: needs CONFIG_PROC_CHILDREN: %w", ErrUnsupported, err)
	}
	return &orphans{
		self: self, list: f, env: make([]byte, maxEnvironBytes),
		blank: make(map[procKey]time.Time), marked: make(map[procKey]string),
		quick: newSharedLook(), full: newSharedLook(),
	}, nil
}

func (o *orphans) close() error { return o.list.Close() }

// live reaps the orphans that have died and returns the others. The caller
// holds mu. A death between the read of the list and the look at the process
// may have given us new orphans that the list does not show, so a list that
// holds a dead one is read again.
func (o *orphans) live() []procStat {
	for {
		if out, deaths := o.look(); !deaths {
			return out
		}
	}
}

func (o *orphans) look() (out []procStat, deaths bool) {
	pids := o.read()
	if len(pids) == 0 {
		clear(o.blank)
		clear(o.marked)
		return nil, false
	}
	own, err := unix.Getsid(0)
	if err != nil {
		return nil, false // not reached: asking for one's own session cannot fail
	}
	for _, pid := range pids {
		p, ok := readStat(pid)
		switch {
		case !ok || p.ppid != o.self || p.session == own:
			// A child that somebody else here started and waits for.
		case p.dead():
			reaped, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
			deaths = deaths || reaped == pid
			if reaped == 0 && err == nil { // its other threads live on
				out = append(out, p)
			}
		default:
			out = append(out, p)
		}
	}
	return out, deaths
}

// read returns the pids on the list of the first thread.
func (o *orphans) read() []int {
	buf := make([]byte, 4096)
	n, err := o.list.ReadAt(buf, 0)
	for err == nil { // full: there is more
		buf = append(buf, make([]byte, len(buf))...)
		n, err = o.list.ReadAt(buf, 0)
	}
	var pids []int
	for field := range strings.FieldsSeq(string(buf[:n])) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// none says that there are no orphans. It does not wait for a look that is under way.
func (o *orphans) none() bool {
	if !o.mu.TryLock() {
		return false
	}
	defer o.mu.Unlock()
	return len(o.read()) == 0
}

// reap collects the orphans that have died.
func (o *orphans) reap() {
	o.mu.Lock()
	defer o.mu.Unlock()
	here := make(map[procKey]bool)
	for _, p := range o.live() {
		here[p.key()] = true
	}
	gone := func(key procKey) bool { return !here[key] }
	maps.DeleteFunc(o.blank, func(key procKey, _ time.Time) bool { return gone(key) })
	maps.DeleteFunc(o.marked, func(key procKey, _ string) bool { return gone(key) })
}

// left says whether anything of the attempt is still there once its main
// process has ended. It must be called before that process is reaped: until
// then nobody else can have its session. unsure means: look again in a moment.
func (o *orphans) left(k *kin) (yes, unsure bool) {
	c := o.quick.get(o.lookQuickly)
	return len(c.sessions[k.session]) > 0 || len(c.marks[k.mark]) > 0 || c.holdsAny(k.known), c.unsure
}

// members returns every live process of the attempt: its session, the orphans
// that belong to it, and the descendants of either.
func (o *orphans) members(k *kin) ([]procStat, error) {
	c := o.full.get(o.lookAtAll)
	if c.err != nil {
		return nil, c.err
	}
	if k.known == nil {
		k.known = make(map[procKey]bool)
	}
	for _, p := range c.marks[k.mark] {
		k.known[p.key()] = true
	}
	found := alive(c.closure(k))
	for _, p := range found {
		k.known[p.key()] = true
	}
	return found, nil
}

// killAll ends and reaps every orphan, whoever it belonged to, and gives up
// after the limit.
func (o *orphans) killAll(limit time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(minLeftoverPause) {
		live := o.live()
		if len(live) == 0 {
			return
		}
		for _, p := range live {
			signalProcess(p, unix.SIGKILL)
		}
	}
}
