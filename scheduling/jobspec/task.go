package jobspec

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/rota-scheduler/rota/fsm"
)

var taskSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{
		{Name: "driver"}, {Name: "command"}, {Name: "args"}, {Name: "env"}, {Name: "dir"},
		{Name: "timeout"}, {Name: "kill_grace"}, {Name: "weight"}, {Name: "depends_on"}, {Name: "output_limit"},
		{Name: "idempotent"}, {Name: "stop_after"}, {Name: "on_node_loss"},
	},
	Blocks: []hcl.BlockHeaderSchema{{Type: "retry"}},
}

var retrySchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "attempts"}, {Name: "backoff"}, {Name: "max_backoff"}},
}

func (j *jobBlock) decodeTask(block *hcl.Block) {
	f := j.child(block, taskSchema)
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
	}
	if driver := f.word("driver", fsm.DriverExec, fsm.DriverShell, fsm.DriverNoop); driver != "" {
		task.Driver = driver
	}
	if f.failed["driver"] { // which attributes it needs is then unknown
		f.fail("command")
		f.fail("args")
	}
	j.decodeRetry(f, &task)
	j.spec.Tasks = append(j.spec.Tasks, task)
	j.tasks = append(j.tasks, f)
}

// decodeRetry reads a task's retry block, if it has one.
func (j *jobBlock) decodeRetry(f *fields, task *fsm.Task) {
	var first *fields
	for _, block := range f.blocks {
		if first != nil {
			f.errorAt("", block.DefRange, "Duplicate retry block", "A task has at most one retry block. The first is at %s.", place(first.header))
			return
		}
		first = f.child(block, retrySchema)
		task.Retry = fsm.Retry{
			Attempts:   int(first.count("attempts", fsm.MaxRetryAttempts)),
			Backoff:    first.duration("backoff"),
			MaxBackoff: first.duration("max_backoff"),
		}
		if first.ok() && task.Retry.Attempts == 0 {
			first.errorAt("", first.header, "Missing attempts", "A retry block says how many attempts there are in all, the first included: attempts = 3.")
		}
	}
}
