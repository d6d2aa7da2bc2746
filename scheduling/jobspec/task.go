package jobspec

import (
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/rota-scheduler/rota/fsm"
)

var taskSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{
		{Name: "max_per_node"}, {Name: "pool"}, {Name: "pools"}, {Name: "driver"}, {Name: "command"}, {Name: "args"}, {Name: "env"}, {Name: "dir"},
		{Name: "timeout"}, {Name: "kill_grace"}, {Name: "weight"}, {Name: "depends_on"}, {Name: "output_limit"},
		{Name: "idempotent"}, {Name: "stop_after"}, {Name: "on_node_loss"}, {Name: "run_if"},
		{Name: "user"}, {Name: "umask"}, {Name: "isolation"}, {Name: "cpu"}, {Name: "memory"}, {Name: "pids"},
		{Name: "method"}, {Name: "url"}, {Name: "headers"}, {Name: "body"}, {Name: "expected_status"},
	},
	Blocks: []hcl.BlockHeaderSchema{{Type: "constraint"}, {Type: "affinity"}, {Type: "spread"}, {Type: "retry"}, {Type: "shards"}},
}

var retrySchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "attempts"}, {Name: "backoff"}, {Name: "max_backoff"}},
}

var shardsSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{
		{Name: "count"}, {Name: "per_node"}, {Name: "range"}, {Name: "items"}, {Name: "items_from"}, {Name: "max_parallel"},
	},
}

// taskBlock is where a task and its blocks stand.
type taskBlock struct {
	*fields
	retry, shards *fields // nil without such a block
	placing       placingBlocks
}

func (j *jobBlock) decodeTask(block *hcl.Block) {
	f := &taskBlock{fields: j.child(block, taskSchema), placing: placingBlocks{}}
	f.refs = j.env.newRunRefs()
	task := fsm.Task{
		Name:        block.Labels[0],
		Driver:      fsm.DriverExec,
		Command:     f.text("command"),
		Args:        f.texts("args", true),
		Env:         f.table("env"),
		Dir:         f.text("dir"),
		Timeout:     f.duration("timeout"),
		Grace:       f.duration("kill_grace"),
		Weight:      int(f.count("weight", fsm.MaxWeight)),
		DependsOn:   f.texts("depends_on", false),
		OutputLimit: f.size("output_limit", fsm.MaxOutputLimit),
		Idempotent:  f.flag("idempotent"),
		StopAfter:   f.duration("stop_after"),
		OnNodeLoss:  f.word("on_node_loss", fsm.OnLossRestart, fsm.OnLossFail),
		RunIf:       f.word("run_if", fsm.RunIfAllSuccess, fsm.RunIfAllDone, fsm.RunIfAnyFailed),
		User:        f.text("user"),
		Umask:       f.text("umask"),
		Isolation:   f.word("isolation", fsm.IsolationPidns),
		CPU:         f.amount("cpu", fsm.MaxCPU),
		Memory:      f.size("memory", maxMemory),
		Pids:        int(f.count("pids", fsm.MaxPids)),
		HTTP:        f.call(),
		MaxPerNode:  int(f.count("max_per_node", fsm.MaxPerNodeLimit)),
		Pools:       f.poolUses(),
	}
	if driver := f.word("driver", fsm.DriverExec, fsm.DriverShell, fsm.DriverHTTP, fsm.DriverNoop); driver != "" {
		task.Driver = driver
	}
	f.checkCall(task.Driver)
	if f.failed["driver"] { // which attributes it needs is then unknown
		f.fail("command")
		f.fail("args")
		f.fail("url")
	}
	f.decodeBlocks(&task)
	j.spec.Tasks = append(j.spec.Tasks, task)
	j.tasks = append(j.tasks, f)
}

func (f *taskBlock) decodeBlocks(task *fsm.Task) {
	for _, inner := range f.blocks {
		switch inner.Type {
		case "retry":
			f.decodeRetry(inner, task)
		case "shards":
			f.decodeShards(inner, task)
		default:
			f.decodePlacing(inner, &task.Placing, f.placing)
		}
	}
}

// maxMemory keeps a size from passing what a number of bytes can be.
const maxMemory = 1 << 50

// callAttributes are those of the http driver.
var callAttributes = []string{"method", "url", "headers", "body", "expected_status"}

// call reads the request of the http driver; nil without any of its attributes.
func (f *taskBlock) call() *fsm.HTTPCall {
	if !slices.ContainsFunc(callAttributes, f.has) {
		return nil
	}
	return &fsm.HTTPCall{
		Method:         f.text("method"),
		URL:            f.text("url"),
		Headers:        f.table("headers"),
		Body:           f.text("body"),
		ExpectedStatus: f.textOrTexts("expected_status"),
	}
}

// checkCall reports attributes of a request in a task that makes none.
func (f *taskBlock) checkCall(driver string) {
	if driver == fsm.DriverHTTP || f.failed["driver"] {
		return
	}
	for _, name := range callAttributes {
		if f.has(name) {
			f.errorf(name, "Wrong attribute", "%q needs driver = %q.", name, fsm.DriverHTTP)
			f.fail("driver") // so that validation does not say it again
		}
	}
}

// once opens a block of which a task has at most one. It returns nil for another
// one.
func (f *taskBlock) once(block *hcl.Block, schema *hcl.BodySchema, first *fields) *fields {
	if first != nil {
		f.errorAt("", block.DefRange, "Duplicate "+block.Type+" block", "A task has at most one %s block. The first is at %s.", block.Type, place(first.header))
		return nil
	}
	return f.child(block, schema)
}

func (f *taskBlock) decodeRetry(block *hcl.Block, task *fsm.Task) {
	r := f.once(block, retrySchema, f.retry)
	if r == nil {
		return
	}
	f.retry = r
	task.Retry = fsm.Retry{
		Attempts:   int(r.count("attempts", fsm.MaxRetryAttempts)),
		Backoff:    r.duration("backoff"),
		MaxBackoff: r.duration("max_backoff"),
	}
	if r.ok() && task.Retry.Attempts == 0 {
		r.errorAt("", r.header, "Missing attempts", "A retry block says how many attempts there are in all, the first included: attempts = 3.")
	}
}

func (f *taskBlock) decodeShards(block *hcl.Block, task *fsm.Task) {
	s := f.once(block, shardsSchema, f.shards)
	if s == nil {
		return
	}
	f.shards = s
	task.Shards = &fsm.Shards{
		Count:       int(s.count("count", fsm.MaxShards)),
		PerNode:     s.flag("per_node"),
		Range:       s.interval("range"),
		Items:       s.texts("items", true),
		ItemsFrom:   s.text("items_from"),
		MaxParallel: int(s.count("max_parallel", fsm.MaxShards)),
	}
	if s.has("items") && !s.failed["items"] && len(task.Shards.Items) == 0 {
		s.errorf("items", invalidValue, "items is empty. Give at least one item.")
	}
	if !s.ok() { // what it lacks follows from what was reported
		s.fail("")
	}
}
