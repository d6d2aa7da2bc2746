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
	onNode  []int // by the place of the node in the snapshot
	spreads []spreadLoad
}

// spreadLoad counts a task's attempts by the value of one attribute.
type spreadLoad struct {
	attribute string
	points    int
	values    []int // of each node, the place in counts; -1 without a value
	counts    []int
	least     int
}

// taskLoad counts a task's attempts, the first time that it is asked for.
func (c *Cluster) taskLoad(r *Request) *taskLoad {
	key := taskKey{r.Job, r.Ref.Task}
	if l := c.tasks[key]; l != nil {
		return l
	}
	l := &taskLoad{onNode: make([]int, len(c.nodes))}
	c.tasks[key] = l
	held := c.attemptsOf(key)
	for id, n := range held {
		if cand := c.byID[id]; cand != nil {
			l.onNode[cand.place] = n
		}
	}
	for i := range r.Rules.spreads {
		l.spreads = append(l.spreads, c.spreadLoad(&r.Rules.spreads[i], c.rulingOf(r.Rules).nodes, held))
	}
	return l
}

// attemptsOf counts the attempts of a task that each node holds, ready or not.
func (c *Cluster) attemptsOf(key taskKey) map[string]int {
	held := map[string]int{}
	if c.view == nil {
		return held
	}
	for run := range c.view.ActiveRuns(key.job) {
		for s := range c.view.ShardsOfTask(run.ID, key.task) {
			if s.State.Held() {
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
		value := n.node.Attribute(s.Attribute)
		number, known := numbers[value]
		switch {
		case value == "":
			number = -1
		case !known:
			number = len(numbers)
			numbers[value] = number
		}
		l.values[n.place] = number
	}
	l.counts = make([]int, len(numbers))
	for id, count := range held {
		n := c.view.Node(id)
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

func (l *spreadLoad) settle() {
	l.least = 0
	if len(l.counts) > 0 {
		l.least = slices.Min(l.counts)
	}
}

// add notes one attempt more on a node.
func (l *taskLoad) add(n *candidate) {
	l.onNode[n.place]++
	for i := range l.spreads {
		s := &l.spreads[i]
		number := s.values[n.place]
		if number < 0 {
			continue
		}
		s.counts[number]++
		if s.counts[number] == s.least+1 {
			s.settle() // it may have been the last of the least
		}
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
