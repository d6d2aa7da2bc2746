package jobspec

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/rota-scheduler/rota/fsm"
)

var jobSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{
		{Name: "description"}, {Name: "labels"}, {Name: "namespace"}, {Name: "timeout"}, {Name: "after"}, {Name: "expected_duration"},
		{Name: "priority"}, {Name: "region"}, {Name: "region_policy"},
	},
	Blocks: []hcl.BlockHeaderSchema{
		{Type: "history"}, {Type: "schedule"}, {Type: "task", LabelNames: []string{"name"}}, {Type: "param", LabelNames: []string{"name"}},
		{Type: "notify", LabelNames: []string{"kind"}}, {Type: "constraint"}, {Type: "affinity"}, {Type: "spread"},
	},
}

var historySchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "runs"}, {Name: "age"}},
}

// jobBlock is a job while it is read: the spec, and where its parts stand.
type jobBlock struct {
	*fields
	spec      fsm.JobSpec
	history   *fields // nil without a history block
	schedules []*scheduleBlock
	tasks     []*taskBlock // as spec.Tasks
	params    []*fields    // as spec.Params
	notify    []*fields    // as spec.Notify
	// endings is there while references are checked.
	endings *fsm.Endings
	placing placingBlocks
}

// decodeJob reads a job block. What is wrong in it is reported.
func decodeJob(file *fields, block *hcl.Block, namespace string) *jobBlock {
	j := &jobBlock{fields: file.child(block, jobSchema), placing: placingBlocks{}}
	j.spec = fsm.JobSpec{
		Namespace:   namespace,
		Name:        block.Labels[0],
		Description: j.text("description"),
		Labels:      j.table("labels"),
		Timeout:     j.duration("timeout"),
		After:       j.texts("after", false),

		Region:       j.text("region"),
		RegionPolicy: j.word("region_policy", fsm.RegionPrefer, fsm.RegionRequire),

		ExpectedDuration: j.duration("expected_duration"),
		Priority:         j.priority(),
	}
	if j.has("namespace") {
		j.spec.Namespace = j.text("namespace")
	}
	if j.failed[""] { // a task block may be among what HCL refused
		j.fail("task")
		j.fail("param")
	}
	for _, inner := range j.blocks {
		switch inner.Type {
		case "history":
			j.decodeHistory(inner)
		case "schedule":
			j.decodeSchedule(inner)
		case "task":
			j.decodeTask(inner)
		case "param":
			j.decodeParam(inner)
		case "notify":
			j.decodeNotify(inner)
		default:
			j.decodePlacing(inner, &j.spec.Placing, j.placing)
		}
	}
	return j
}

func (j *jobBlock) decodeHistory(block *hcl.Block) {
	if j.history != nil {
		j.errorAt("", block.DefRange, "Duplicate history block", "A job has at most one history block. The first is at %s.", place(j.history.header))
		return
	}
	j.history = j.child(block, historySchema)
	j.spec.History = fsm.History{
		Runs: int(j.history.count("runs", fsm.MaxHistoryRuns)),
		Age:  j.history.duration("age"),
	}
}
