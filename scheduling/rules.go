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
	// last is the version that was asked for last, of the state lastIndex: the tasks
	// of a run, and their shards, come one after the other.
	last        versionKey
	lastIndex   uint64
	lastContent *fsm.JobVersion
}

// compiledRules are rules with what they were compiled from: a job that was
// deleted and applied again counts its versions anew.
type compiledRules struct {
	from  *fsm.JobVersion
	rules *Rules
}

type versionKey struct {
	job     fsm.JobKey
	version uint64
}

// ruleKey names a task of a version; no task: those that ask nothing by themselves.
type ruleKey struct {
	versionKey
	task string
}

func newRuleBook() *ruleBook { return &ruleBook{kept: map[ruleKey]compiledRules{}} }

// of returns the rules of a task in one version of its job. Tasks that ask nothing by
// themselves share those of their job, and so what was found out about them.
func (b *ruleBook) of(v *fsm.View, job fsm.JobKey, version uint64, task string) *Rules {
	key := ruleKey{versionKey{job, version}, task}
	b.mu.Lock()
	defer b.mu.Unlock()
	if key.versionKey != b.last || v.Index() != b.lastIndex {
		b.last, b.lastIndex, b.lastContent = key.versionKey, v.Index(), v.Version(job, version)
	}
	content := b.lastContent
	if content == nil {
		return nil // gone: what is of it is about to go as well
	}
	if found, known := b.kept[key]; known && found.from == content {
		return found.rules
	}
	spec := content.Spec()
	t := spec.Task(task)
	if t == nil {
		return nil
	}
	rules := b.compile(key, content, spec, t)
	b.keep(key, compiledRules{content, rules})
	return rules
}

// compile makes the rules of a task, or finds those of its job.
func (b *ruleBook) compile(key ruleKey, content *fsm.JobVersion, spec *fsm.JobSpec, t *fsm.Task) *Rules {
	if asks(t) {
		return compileRules(spec, t)
	}
	key.task = ""
	if found, known := b.kept[key]; known && found.from == content {
		return found.rules
	}
	rules := compileRules(spec, t)
	b.keep(key, compiledRules{content, rules})
	return rules
}

// asks says whether a task asks more of its nodes than its job does.
func asks(t *fsm.Task) bool {
	return t.MaxPerNode > 0 || len(t.Constraints)+len(t.Affinities)+len(t.Spreads) > 0
}

func (b *ruleBook) keep(key ruleKey, rules compiledRules) {
	if len(b.kept) >= maxCompiled {
		clear(b.kept)
	}
	b.kept[key] = rules
}
