package jobspec

import (
	"fmt"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/match"
)

// validate checks what the blocks mean together. What follows only from a
// problem that was already reported is not reported again.
func (j *jobBlock) validate() {
	for i, s := range j.schedules {
		s.compile(j.spec.Key(), &j.spec.Schedules[i])
	}
	j.dropDuplicateTasks()
	j.checkDependencies()
	j.checkReferences()
	broken := append(j.spec.Validate(), match.Check(&j.spec)...)
	if len(broken) == 0 {
		return
	}
	owners := j.owners()
	for _, e := range broken {
		j.reportField(owners, e)
	}
}

// dropDuplicateTasks reports tasks of one name and keeps the first, so that
// every later problem is about one block.
func (j *jobBlock) dropDuplicateTasks() {
	first := make(map[string]hcl.Range, len(j.tasks))
	tasks, blocks := j.spec.Tasks[:0], j.tasks[:0]
	for i, task := range j.spec.Tasks {
		f := j.tasks[i]
		if at, twice := first[task.Name]; twice {
			j.errorAt("", f.header, "Duplicate task", "The job already has a task %q, at %s.", task.Name, place(at))
			continue
		}
		first[task.Name] = f.header
		tasks, blocks = append(tasks, task), append(blocks, f)
	}
	j.spec.Tasks, j.tasks = tasks, blocks
}

// checkDependencies reports each dependency that is unknown or stands twice at
// its place in the list.
func (j *jobBlock) checkDependencies() {
	known := make(map[string]bool, len(j.spec.Tasks))
	for i := range j.spec.Tasks {
		known[j.spec.Tasks[i].Name] = true
	}
	for i := range j.spec.Tasks {
		f := j.tasks[i]
		named := make(map[string]bool, len(j.spec.Tasks[i].DependsOn))
		for n, name := range j.spec.Tasks[i].DependsOn {
			at := f.element("depends_on", n)
			switch {
			case !known[name]:
				f.errorAt("depends_on", at, "Unknown dependency", "There is no task %q in this job.", name)
			case named[name]:
				f.errorAt("depends_on", at, "Duplicate dependency", "The list already names the task %q.", name)
			}
			named[name] = true
		}
	}
}

// owners returns the blocks of the job by the paths that validation gives them.
func (j *jobBlock) owners() map[string]*fields {
	owners := make(map[string]*fields, len(j.tasks)+len(j.schedules)+1)
	if j.history != nil {
		owners["history"] = j.history
	}
	for i, s := range j.schedules {
		owners[fmt.Sprintf("schedule[%d]", i)] = s.fields
	}
	for i, f := range j.tasks {
		path := fmt.Sprintf("task %q", j.spec.Tasks[i].Name)
		owners[path] = f.fields
		if f.retry != nil {
			owners[path+" retry"] = f.retry
		}
		if f.shards != nil {
			owners[path+" shards"] = f.shards
		}
		for block, at := range f.placing {
			owners[path+" "+block] = at
		}
	}
	maps.Copy(owners, j.placing)
	for i, f := range j.params {
		owners[fmt.Sprintf("param %q", j.spec.Params[i].Name)] = f
	}
	for i, f := range j.notify {
		owners[notifyPath(i)] = f
	}
	return owners
}

// reportField reports a broken rule at the block and attribute of its path.
func (j *jobBlock) reportField(owners map[string]*fields, e *fsm.FieldError) {
	f, attribute := owners[e.Path], ""
	if f == nil {
		owner, last := "", e.Path
		if i := strings.LastIndexByte(e.Path, ' '); i >= 0 {
			owner, last = e.Path[:i], e.Path[i+1:]
		}
		if f, attribute = owners[owner], last; f == nil {
			f, attribute = j.fields, e.Path
		}
	}
	if f.failed[attribute] || (f.failed[""] && f.kind == "shards") {
		return
	}
	f.errorf(attribute, fieldSummary(f.kind, attribute), "%s", sentence(e.Message))
}

func fieldSummary(kind, attribute string) string {
	switch attribute {
	case "":
		if kind == "shards" {
			return "Invalid shards"
		}
	case "depends_on":
		return "Dependency cycle"
	case "command":
		return "Missing command"
	case "task":
		return "Wrong number of tasks"
	case "job":
		return "Job too large"
	case "schedule":
		return "Too many schedules"
	case "name", "namespace":
	default:
		return invalidValue
	}
	return "Invalid name"
}

// sentence gives a message of another package the form of a diagnostic.
func sentence(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:] + "."
}
