package sim

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/check"
)

// probe is a job that every schedule has from its beginning to its end, and that
// nothing is done to.
const probe = "probe"

// How long things may take once the last fault has ended.
const (
	recoverWithin = 10 * time.Second
	probedFor     = 4 * time.Second
	probeLate     = 500 * time.Millisecond
	endWithin     = 2 * time.Minute
)

// player plays one schedule.
type player struct {
	c       *Cluster
	clients *clients
	began   time.Time
	// leaders are the nodes that L1, L2, … stand for.
	leaders map[string]*Node
	// specs are the jobs that were applied, by their marks.
	specs  map[string]fsm.JobSpec
	hashes []check.Hash
	// failed are agents that gave up, and when.
	failed map[*Node]time.Time
}

// Play runs a schedule in the bubble that it is called in, heals everything, and
// returns what the checker makes of it.
func Play(t *testing.T, s Schedule) *check.Verdict {
	t.Helper()
	p := &player{leaders: map[string]*Node{}, specs: map[string]fsm.JobSpec{}, failed: map[*Node]time.Time{}}
	p.c = NewCluster(t, Options{Nodes: nodesOf(s), Capacity: 100, Work: scripted, StallTimeout: 2 * time.Second})
	p.clients = newClients(p.c)
	defer p.clients.close()
	p.c.Run(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // so that steps can aim at instants
	p.began = time.Now()
	p.must("apply", "n1", probe, "every=1s", "overlap=allow", "misfire=skip", "work=10ms", "stop_after=5s", "grace=1s")
	for _, step := range s.Steps {
		p.until(p.began.Add(step.At))
		p.c.Trace.Note("", "STEP %s", step)
		if err := verbs[step.Verb](p, step.Args); err != nil {
			t.Fatalf("%s: %s: %v", s.Name, step, err)
		}
		p.sample()
	}
	return check.Check(p.finish())
}

func nodesOf(s Schedule) int {
	for _, step := range s.Steps {
		if step.Verb == "nodes" && len(step.Args) == 1 {
			if n, err := strconv.Atoi(step.Args[0]); err == nil {
				return n
			}
		}
	}
	return 0
}

func (p *player) must(verb string, args ...string) {
	if err := verbs[verb](p, args); err != nil {
		p.c.t.Fatal(err)
	}
}

// node resolves a name; nil if it stands for nobody now.
func (p *player) node(args []string, i int) (*Node, error) {
	if len(args) <= i {
		return nil, fmt.Errorf("%w: a node is missing", ErrMalformed)
	}
	name := args[i]
	if strings.HasPrefix(name, "L") {
		if p.leaders[name] == nil {
			p.leaders[name] = p.c.Leader()
		}
		return p.leaders[name], nil
	}
	for _, n := range p.c.nodes {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%w: no node %q", ErrMalformed, name)
}

// via makes a call through the node that the first word names, about what the
// second does.
func (p *player) via(args []string, call func(node, what string)) error {
	n, err := p.node(args, 0)
	if err != nil {
		return err
	}
	if len(args) < 2 {
		return fmt.Errorf("%w: want a node and what it is about", ErrMalformed)
	}
	if n != nil {
		call(n.Name, args[1])
	}
	return nil
}

// newest returns the newest run of a job that fits, as the freshest replica has it.
func (p *player) newest(job string, fits func(*fsm.Run) bool) *fsm.Run {
	var found *fsm.Run
	for r := range p.c.freshest().Read().Runs(jobNamed(job)) {
		if fits(r) {
			found = r
		}
	}
	return found
}

// until lets time pass, and does meanwhile what a supervisor does: an agent that
// gave up is started again.
func (p *player) until(t time.Time) {
	const look = 250 * time.Millisecond
	for {
		p.tend()
		left := time.Until(t)
		if left <= 0 {
			return
		}
		p.c.Run(min(left, look))
	}
}

// restartAfter is how long a supervisor waits before it starts an agent again.
const restartAfter = time.Second

func (p *player) tend() {
	for _, n := range p.c.nodes {
		if n.Up() {
			select {
			case err := <-n.agent.Fatal():
				p.c.Trace.Note(n.Name, "the agent gives up: %v", err)
				n.Crash()
				p.failed[n] = time.Now()
			default:
			}
			continue
		}
		if at, ok := p.failed[n]; ok && time.Since(at) >= restartAfter {
			delete(p.failed, n)
			p.must("start", n.Name)
		}
	}
}

// sample takes the digest of every replica that is up.
func (p *player) sample() {
	for _, n := range p.c.nodes {
		if n.Up() {
			index, digest := n.store.Hash()
			p.hashes = append(p.hashes, check.Hash{Node: n.Name, Index: index, Digest: digest})
		}
	}
}

// finish ends every fault, gives the cluster the time that it has to recover,
// has every job but the probe end, and gathers the evidence.
func (p *player) finish() check.Evidence {
	p.tend()
	p.heal()
	r := &check.Recovery{
		Healed: time.Now(), Within: recoverWithin, Probe: jobNamed(probe), Late: probeLate, Indexes: map[string]uint64{},
	}
	p.until(r.Healed.Add(recoverWithin - 2*time.Second))
	early := p.ghosts()
	p.until(r.Healed.Add(recoverWithin))
	for id := range p.ghosts() {
		if early[id] {
			r.Ghosts = append(r.Ghosts, id)
		}
	}
	p.lookAtNodes(r)
	p.until(r.Healed.Add(recoverWithin + probedFor))
	quiet := time.Now()
	p.pauseAll()
	r.Stuck = p.awaitEnds()
	p.sample()
	return p.evidence(r, quiet)
}

func (p *player) heal() {
	p.c.Trace.Note("", "HEAL")
	p.c.Net.Heal()
	for _, n := range p.c.nodes {
		n.hung.Open()
		n.ice.Open()
		n.super.Thaw()
		n.slow.Store(0)
		n.offset.Store(0)
		if !n.Up() {
			n.Start()
		}
		p.clients.wg.Go(func() { p.makeReady(n.Name) })
	}
}

// makeReady ends a drain, however often that has to be asked.
func (p *player) makeReady(node string) {
	for try := range 20 {
		call := check.Call{Op: "node ready", Node: p.c.nodes[try%len(p.c.nodes)].Name, Detail: node}
		if p.clients.ask(call, statusCall(node, fsm.NodeReady)) == check.Done {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// lookAtNodes notes who leads and how far each replica is. The log goes on, so they
// get a second to come to where the first of them is now.
func (p *player) lookAtNodes(r *check.Recovery) {
	deadline, goal := time.Now().Add(time.Second), p.c.freshest().Index()
	for {
		r.Leaders, r.Unready = nil, nil
		clear(r.Indexes)
		equal, leader := true, p.c.Leader()
		for _, n := range p.c.nodes {
			if n.agent.IsLeader() {
				r.Leaders = append(r.Leaders, n.Name)
			}
			if leader == nil || !leader.agent.Ready(n.agent.ID()) {
				r.Unready = append(r.Unready, n.Name)
			}
			r.Indexes[n.Name] = min(n.store.Index(), goal)
			equal = equal && r.Indexes[n.Name] == goal
		}
		if equal && len(r.Leaders) == 1 && len(r.Unready) == 0 || time.Now().After(deadline) {
			return
		}
		p.c.Run(5 * time.Millisecond)
	}
}

// ghosts are the attempts that run by the state and have no process.
func (p *player) ghosts() map[string]bool {
	found := map[string]bool{}
	v := p.c.freshest().Read()
	for s := range v.Held() {
		if s.State != fsm.ShardRunning {
			continue
		}
		node := v.Node(s.Current.Node)
		if n := p.c.node(node.Name); !n.super.alive(s.Ref().String()) {
			found[s.Ref().String()+" on "+node.Name] = true
		}
	}
	return found
}

// pauseAll pauses every job but the probe, so that all runs come to their ends.
func (p *player) pauseAll() {
	for job := range p.c.freshest().Read().Jobs(fsm.JobKey{}) {
		if job.Name == probe || job.Deleting {
			continue
		}
		for try := range 6 {
			call := check.Call{Op: check.Pause, Job: job.Key(), Node: p.c.nodes[try%len(p.c.nodes)].Name}
			fate := p.clients.ask(call, pauseCall)
			if fate == check.Done || p.c.freshest().Read().Job(job.Key()) == nil {
				break
			}
		}
	}
}

// awaitEnds waits until nothing but the probe is active, and returns what does
// not end.
func (p *player) awaitEnds() []string {
	deadline := time.Now().Add(endWithin)
	for {
		var active []string
		for r := range p.c.freshest().Read().AllActiveRuns() {
			if r.Job != probe {
				active = append(active, fmt.Sprintf("run %s of %s (%s)", r.ID, r.Job, r.State))
			}
		}
		if len(active) == 0 || time.Now().After(deadline) {
			return active
		}
		p.until(time.Now().Add(250 * time.Millisecond))
	}
}
