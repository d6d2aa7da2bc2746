package proc

import (
	"sync"
	"time"
)

// census is what one look at the processes has found, by what they are asked for.
// It is shared: nobody changes it.
type census struct {
	orphans map[procKey]bool
	marks   map[string][]procStat // orphans, by the attempt's mark
	// unsure: an orphan has shown no environment, and may be on its way through an
	// exec.
	unsure bool
	// sessions are those of orphans; in a look at all, of every process, which
	// pids and children hold too.
	sessions map[int][]procStat
	pids     map[int]procStat
	children map[int][]procStat
	err      error
}

// lookQuickly looks at the orphans only.
func (o *orphans) lookQuickly() *census {
	o.mu.Lock()
	defer o.mu.Unlock()
	live := o.live()
	c := &census{
		orphans: make(map[procKey]bool, len(live)), marks: make(map[string][]procStat), sessions: make(map[int][]procStat),
	}
	for _, p := range live {
		c.orphans[p.key()] = true
		c.sessions[p.session] = append(c.sessions[p.session], p)
		mark, unsure := o.markOf(p)
		c.unsure = c.unsure || unsure
		if mark != "" {
			c.marks[mark] = append(c.marks[mark], p)
		}
	}
	return c
}

// lookAtAll looks at every process of the host.
func (o *orphans) lookAtAll() *census {
	c := o.lookQuickly() // first: an orphan of now is in the list of then
	all, err := processes()
	if err != nil {
		return &census{err: err}
	}
	c.sessions = make(map[int][]procStat)
	c.pids, c.children = make(map[int]procStat, len(all)), make(map[int][]procStat)
	for _, p := range all {
		c.pids[p.pid] = p
		c.sessions[p.session] = append(c.sessions[p.session], p)
		c.children[p.ppid] = append(c.children[p.ppid], p)
	}
	return c
}

// markOf returns the mark that an orphan carries or has carried: it stays its own
// when an exec erases it. The caller holds mu.
func (o *orphans) markOf(p procStat) (mark string, unsure bool) {
	if mark := o.marked[p.key()]; mark != "" {
		return mark, false
	}
	mark, blank := markerOf(p.pid, o.env)
	if !blank {
		if mark != "" {
			o.marked[p.key()] = mark
		}
		return mark, false
	}
	since, seen := o.blank[p.key()]
	if !seen {
		since = time.Now()
		o.blank[p.key()] = since
	}
	return "", time.Since(since) < blankPatience
}

// holdsAny says whether one of these is among the orphans.
func (c *census) holdsAny(known map[procKey]bool) bool {
	for key := range known {
		if c.orphans[key] {
			return true
		}
	}
	return false
}

// closure returns the attempt's session, what is known to be its, and every
// descendant of either.
func (c *census) closure(k *kin) (found []procStat) {
	seen := make(map[int]bool)
	add := func(p procStat) {
		if !seen[p.pid] {
			seen[p.pid] = true
			found = append(found, p)
		}
	}
	for _, p := range c.sessions[k.session] {
		add(p)
	}
	for key := range k.known {
		if p, there := c.pids[key.pid]; there && p.start == key.start {
			add(p)
		}
	}
	for i := 0; i < len(found); i++ {
		for _, child := range c.children[found[i].pid] {
			add(child)
		}
	}
	return found
}

// A look is not begun sooner after another than this many times what that took,
// and at most the pause: who waits for the ends of hundreds of attempts that do not
// hear a SIGTERM must not take a core for as long as their grace.
const (
	lookRest    = 3
	maxLookRest = 100 * time.Millisecond
)

// sharedLook makes one look serve everybody who asks before it begins: what is
// found is never older than the question, and hundreds who ask at once cost two
// looks, not hundreds.
type sharedLook struct {
	turn chan struct{} // of one: held while one looks
	rest time.Time     // when the next may begin; guarded by turn

	mu   sync.Mutex
	next *look // not begun; nil: none
}

type look struct {
	done  chan struct{}
	found *census
}

func newSharedLook() *sharedLook { return &sharedLook{turn: make(chan struct{}, 1)} }

// get returns what a look has found that began after the call.
func (s *sharedLook) get(take func() *census) *census {
	s.mu.Lock()
	l := s.next
	if l != nil {
		s.mu.Unlock()
		<-l.done
		return l.found
	}
	l = &look{done: make(chan struct{})}
	s.next = l
	s.mu.Unlock()
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	time.Sleep(time.Until(s.rest))
	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	began := time.Now()
	l.found = take()
	s.rest = time.Now().Add(min(lookRest*time.Since(began), maxLookRest))
	close(l.done)
	return l.found
}
