package scheduling

import (
	"slices"

	"github.com/rota-scheduler/rota/fsm"
)

// taskKey names a task of a job, whatever the run and the version.
type taskKey struct {
	job  fsm.JobKey
	task string
}

// taskLoad is where the attempts of a task are: of all its job's runs, so that
// runs that overlap count as one.
type taskLoad struct {
	onNode []int          // by the place of the node in the snapshot
	held   map[string]int // by the node's ID, whether it is in the snapshot or not
	// spreads are by what is asked: versions of a job may spread over different
	// attributes, and over different nodes.
	spreads map[*Rules][]spreadLoad
}

// spreadLoad counts a task's attempts by the value of one attribute.
type spreadLoad struct {
	attribute string
	points    int
	values    []int // of each node, the place in counts; -1 without one
	counts    []int
	least     int
}

// taskLoad counts a task's attempts, the first time that it is asked for.
func (c *Cluster) taskLoad(r *Request) *taskLoad {
	key := taskKey{r.Job, r.Ref.Task}
	if l := c.tasks[key]; l != nil {
		return l
	}
	l := &taskLoad{onNode: make([]int, len(c.nodes)), held: c.attemptsOf(key), spreads: map[*Rules][]spreadLoad{}}
	c.tasks[key] = l
	for id, n := range l.held {
		if cand := c.byID[id]; cand != nil {
			l.onNode[cand.place] = n
		}
	}
	return l
}

// spreadLoads returns how the attempts of a task lie for each of its spreads.
func (c *Cluster) spreadLoads(r *Request) []spreadLoad {
	l := c.taskLoad(r)
	if spreads, known := l.spreads[r.Rules]; known {
		return spreads
	}
	may := c.rulingOf(r.Rules).nodes
	spreads := make([]spreadLoad, len(r.Rules.spreads))
	for i := range spreads {
		spreads[i] = c.spreadLoad(&r.Rules.spreads[i], may, l.held)
	}
	l.spreads[r.Rules] = spreads
	return spreads
}

// attemptsOf counts the attempts of a task that each node holds, ready or not. What
// waits there for another run does not count: it would keep the shards of that run
// away, and so wait for ever.
func (c *Cluster) attemptsOf(key taskKey) map[string]int {
	held := map[string]int{}
	if c.view == nil {
		return held
	}
	for run := range c.view.ActiveRuns(key.job) {
		for s := range c.view.ShardsOfTask(run.ID, key.task) {
			if !s.State.Held() {
				continue
			}
			if _, counts := loadOf(s, run).start(c.view, c.now); counts {
				held[s.Current.Node]++
			}
		}
	}
	return held
}

// spreadLoad counts by the values that the nodes have which may take the task: a
// value that none of them has is nothing to spread over.
func (c *Cluster) spreadLoad(s *fsm.Spread, may []*candidate, held map[string]int) spreadLoad {
	l := spreadLoad{attribute: s.Attribute, points: s.Points(), values: make([]int, len(c.nodes))}
	numbers := map[string]int{}
	for _, n := range may {
		if value := n.node.Attribute(s.Attribute); value != "" {
			if _, known := numbers[value]; !known {
				numbers[value] = len(numbers)
			}
		}
	}
	for _, n := range c.nodes { // also those that other rules may choose
		number, known := numbers[n.node.Attribute(s.Attribute)]
		if !known {
			number = -1
		}
		l.values[n.place] = number
	}
	l.counts = make([]int, len(numbers))
	for id, count := range held {
		n := c.nodeOf(id)
		if n == nil {
			continue
		}
		if number, known := numbers[n.Attribute(s.Attribute)]; known {
			l.counts[number] += count
		}
	}
	l.settle()
	return l
}

// nodeOf returns a node, ready or not; nil if there is none of that ID any more.
func (c *Cluster) nodeOf(id string) *fsm.Node {
	if cand := c.byID[id]; cand != nil {
		return cand.node
	}
	return c.view.Node(id)
}

func (l *spreadLoad) settle() {
	l.least = 0
	if len(l.counts) > 0 {
		l.least = slices.Min(l.counts)
	}
}

// add notes one attempt more on a node.
func (l *taskLoad) add(n *candidate) {
	l.onNode[n.place]++
	l.held[n.node.ID]++
	for _, spreads := range l.spreads {
		for i := range spreads {
			spreads[i].add(n)
		}
	}
}

func (l *spreadLoad) add(n *candidate) {
	number := l.values[n.place]
	if number < 0 {
		return
	}
	l.counts[number]++
	if l.counts[number] == l.least+1 {
		l.settle() // it may have been the last of the least
	}
}

// score is 0 for a node whose value has no more attempts than any other, and goes
// towards -1 weight with each that it has more: half of it for one, two thirds for
// two. A node without a value counts as the fullest.
func (l *spreadLoad) score(n *candidate) int {
	number := l.values[n.place]
	if number < 0 {
		return -l.points * point
	}
	ahead := l.counts[number] - l.least
	return -l.points * point * ahead / (ahead + 1)
}
