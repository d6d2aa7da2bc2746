package scheduling

import (
	"sync"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/match"
)

// Rules is what a task asks of the nodes that take it, compiled. nil asks for
// nothing. It never changes, so that what follows from it and a node alone is
// found out once for each snapshot.
type Rules struct {
	constraints []*match.Rule
	affinities  []affinity
	spreads     []fsm.Spread
	maxPerNode  int
	home        home
	// broken says why the rules cannot be compiled. Then no node meets them.
	broken string
}

type affinity struct {
	*match.Rule
	points int
}

// compileRules returns what a task of a job asks of its nodes. What the job asks
// holds for each of its tasks.
func compileRules(spec *fsm.JobSpec, task *fsm.Task) *Rules {
	r := &Rules{maxPerNode: task.MaxPerNode, home: homeOf(spec)}
	for _, p := range []*fsm.Placing{&spec.Placing, &task.Placing} {
		for i := range p.Constraints {
			r.constraints = append(r.constraints, r.compile(&p.Constraints[i]))
		}
		for i := range p.Affinities {
			a := &p.Affinities[i]
			r.affinities = append(r.affinities, affinity{r.compile(&a.Constraint), a.Points()})
		}
		r.spreads = append(r.spreads, p.Spreads...)
	}
	if len(r.constraints)+len(r.affinities)+len(r.spreads)+r.maxPerNode == 0 && r.home.region == "" {
		return nil
	}
	return r
}

func (r *Rules) compile(c *fsm.Constraint) *match.Rule {
	rule, err := match.Compile(c)
	if err != nil { // the API checks it: another version of rota has let it in
		r.broken = err.Error()
	}
	return rule
}

// counts says whether the rules depend on where else the task is.
func (r *Rules) counts() bool { return r != nil && (r.maxPerNode > 0 || len(r.spreads) > 0) }

// ruleBook keeps the compiled rules of the tasks that come up often. Its methods
// may be called concurrently.
type ruleBook struct {
	mu   sync.Mutex
	kept map[ruleKey]compiledRules
	// last is what was asked for last, at lastIndex: the shards of a task come one
	// after the other.
	last      ruleKey
	lastIndex uint64
	lastRules *Rules
}

// compiledRules are rules with what they were compiled from: a job that was
// deleted and applied again counts its versions anew.
type compiledRules struct {
	from  *fsm.JobVersion
	rules *Rules
}

type ruleKey struct {
	job     fsm.JobKey
	version uint64
	task    string
}

func newRuleBook() *ruleBook { return &ruleBook{kept: map[ruleKey]compiledRules{}} }

// of returns the rules of a task in one version of its job.
func (b *ruleBook) of(v *fsm.View, job fsm.JobKey, version uint64, task string) *Rules {
	key := ruleKey{job, version, task}
	b.mu.Lock()
	defer b.mu.Unlock()
	if key == b.last && v.Index() == b.lastIndex {
		return b.lastRules
	}
	content := v.Version(job, version)
	if content == nil {
		return nil // gone: what is of it is about to go as well
	}
	found, known := b.kept[key]
	if !known || found.from != content {
		spec := content.Spec()
		t := spec.Task(task)
		if t == nil {
			return nil
		}
		found = compiledRules{content, compileRules(spec, t)}
		if len(b.kept) >= maxCompiled {
			clear(b.kept)
		}
		b.kept[key] = found
	}
	b.last, b.lastIndex, b.lastRules = key, v.Index(), found.rules
	return found.rules
}
