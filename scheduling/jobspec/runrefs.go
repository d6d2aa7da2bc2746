package jobspec

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/rota-scheduler/rota/fsm"
)

// References to a run, such as run.id, have no value when a file is applied. In
// the spec they stand as they are written, "${run.id}", and the node that starts
// an attempt puts the values in. So nothing can be done with them here but to put
// them into a text.

// runRoots are the first words of references to a run.
var runRoots = []string{"run", "shard", "node", "params", "tasks"}

// runTexts are the attributes of a task that may hold references to a run.
var runTexts = []string{"command", "args", "env", "dir", "url", "headers", "body"}

// runRefs collects the references to a run of one task. While an expression is
// evaluated a mark stands for each, which no file can hold: it has a secret.
type runRefs struct {
	secret string
	refs   []runRef
}

// runRef is a reference to a run, and where it stands.
type runRef struct {
	name      string // as the spec spells it
	attribute string
	at        hcl.Range
}

func (e *env) newRunRefs() *runRefs {
	if e.secret == "" {
		e.secret = "\x00" + rand.Text()
	}
	return &runRefs{secret: e.secret}
}

// runReference puts a mark in place of a reference to a run.
func (p *preparer) runReference(n *hclsyntax.ScopeTraversalExpr, bare bool) hclsyntax.Expression {
	name, ok := runName(n.Traversal)
	switch {
	case p.refs == nil:
		stop(n.SrcRange, "Reference not allowed", "%s is known only when the job runs. Such a reference may stand in a task's command, args, dir, url and body, and in the values of env and headers.", name)
	case !bare:
		stop(n.SrcRange, "Reference not allowed", "%s is known only when the job runs, so that nothing can be computed from it. "+
			`Put it into a text as it is, such as "--run=${run.id}", or let the command compute.`, name)
	case !ok:
		stop(n.SrcRange, "Unknown reference", "This is no reference to a run: write words with dots between them, such as run.id or params.day.")
	}
	mark := p.refs.secret + strconv.Itoa(len(p.refs.refs)) + ";"
	p.refs.refs = append(p.refs.refs, runRef{name: name, at: n.SrcRange})
	return &hclsyntax.LiteralValueExpr{Val: cty.StringVal(mark), SrcRange: n.SrcRange}
}

// runName spells a reference as a spec does; tasks["a"] is the same as tasks.a.
func runName(t hcl.Traversal) (string, bool) {
	var b strings.Builder
	for _, step := range t {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(s.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + s.Name)
		case hcl.TraverseIndex:
			if s.Key.Type() != cty.String {
				return b.String(), false
			}
			b.WriteString("." + s.Key.AsString())
		default:
			return b.String(), false
		}
	}
	return b.String(), true
}

// spell gives a text that may hold marks the form it has in a spec.
func (r *runRefs) spell(text string) (spelled, problem string) {
	if !strings.Contains(text, r.secret) {
		return fsm.EscapeText(text), ""
	}
	var b strings.Builder
	pieces := strings.Split(text, r.secret)
	b.WriteString(fsm.EscapeText(pieces[0]))
	for _, piece := range pieces[1:] {
		number, rest, _ := strings.Cut(piece, ";")
		i, err := strconv.Atoi(number)
		if err != nil || i >= len(r.refs) {
			return "", "It holds a part of a reference."
		}
		if strings.HasSuffix(b.String(), "$") {
			return "", fmt.Sprintf("A $ cannot stand right before ${%s}: it would make the reference plain text.", r.refs[i].name)
		}
		b.WriteString("${" + r.refs[i].name + "}" + fsm.EscapeText(rest))
	}
	return b.String(), ""
}

// spellAll spells the texts within a value.
func (r *runRefs) spellAll(v cty.Value) (spelled cty.Value, problem string) {
	if v.IsNull() {
		return v, ""
	}
	t := v.Type()
	switch {
	case t == cty.String:
		text, problem := r.spell(v.AsString())
		return cty.StringVal(text), problem
	case isList(v):
		elements := v.AsValueSlice()
		for i := range elements {
			if elements[i], problem = r.spellAll(elements[i]); problem != "" {
				return v, problem
			}
		}
		return cty.TupleVal(elements), ""
	case t.IsObjectType(), t.IsMapType():
		elements := v.AsValueMap()
		for key := range elements {
			if elements[key], problem = r.spellAll(elements[key]); problem != "" {
				return v, problem
			}
		}
		return cty.ObjectVal(elements), ""
	}
	return v, ""
}

// runValue evaluates an attribute that may hold references to a run.
func (f *fields) runValue(name string, expr hcl.Expression) (cty.Value, bool) {
	first := len(f.refs.refs)
	v, ok := f.env.evaluate(expr, f.scope, f.refs)
	for i := range f.refs.refs[first:] {
		f.refs.refs[first+i].attribute = name
	}
	if !ok {
		return v, false
	}
	v, problem := f.refs.spellAll(v)
	if problem != "" {
		f.report.errorf(expr.Range(), "Invalid reference", "%s", problem)
		return v, false
	}
	return v, true
}

// checkReferences checks what the references of the tasks name. It comes after
// everything else is read.
func (j *jobBlock) checkReferences() {
	var distant []string
	for i, f := range j.tasks {
		for _, ref := range f.refs.refs {
			if other, ok := fsm.OutputReference(ref.name); ok && !slices.Contains(j.spec.Tasks[i].DependsOn, other) {
				distant = append(distant, other)
			}
		}
	}
	j.endings = fsm.NewEndings(&j.spec, distant)
	for i, f := range j.tasks {
		for _, ref := range f.refs.refs {
			if problem := j.checkReference(&j.spec.Tasks[i], ref.name); problem != "" {
				f.errorAt(ref.attribute, ref.at, "Unknown reference", "%s", problem)
			}
		}
	}
}

// fixedNames are the references that mean something in every job, for
// suggestions.
var fixedNames = []string{
	"run.id", "run.job", "run.namespace", "run.version", "run.scheduled_at", "run.trigger", "run.upstream_id", "run.attempt",
	"shard.index", "shard.count", "shard.start", "shard.end", "shard.items",
	"node.name", "node.id", "node.region", "node.zone",
}

func (j *jobBlock) checkReference(task *fsm.Task, name string) string {
	if param, ok := fsm.ParamReference(name); ok {
		if j.failed["param"] || j.failed[""] || j.spec.Param(param) != nil {
			return ""
		}
		var names []string
		for _, p := range j.spec.Params {
			names = append(names, p.Name)
		}
		return fmt.Sprintf("The job has no param %q. Declare it with: param %q {}.%s", param, param, suggest(param, names))
	}
	if other, ok := fsm.OutputReference(name); ok {
		return j.checkOutput(task, other)
	}
	if err := fsm.CheckReference(name); err == nil {
		return ""
	}
	switch root, _, _ := strings.Cut(name, "."); root {
	case "params":
		return "A reference to a param is params.NAME."
	case "tasks":
		return "Of another task only the output can be referred to, as tasks.NAME.output."
	default:
		var same []string
		for _, fixed := range fixedNames {
			if strings.HasPrefix(fixed, root+".") {
				same = append(same, fixed)
			}
		}
		if root == "node" {
			same = append(same, "node.labels.KEY")
		}
		return fmt.Sprintf("There is no %s.%s There are: %s.", name, suggest(name, same), strings.Join(same, ", "))
	}
}

// checkOutput checks a reference to the output of another task.
func (j *jobBlock) checkOutput(task *fsm.Task, other string) string {
	switch {
	case j.spec.Task(other) == nil:
		var names []string
		for i := range j.spec.Tasks {
			names = append(names, j.spec.Tasks[i].Name)
		}
		return fmt.Sprintf("There is no task %q in this job.%s", other, suggest(other, names))
	case j.endings.Before(task, other):
		return ""
	case task.Condition() != fsm.RunIfAllSuccess:
		return fmt.Sprintf("The output of the task %q is there only after it has ended. With run_if = %q only those that depends_on names have surely ended. Add it to depends_on.", other, task.RunIf)
	}
	return fmt.Sprintf("The output of the task %q is there only after it has ended, and this task does not surely wait for it. Add it to depends_on.", other)
}
