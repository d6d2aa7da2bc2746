package jobspec

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/cron"
	"github.com/rota-scheduler/rota/scheduling/cronspec"
)

var scheduleSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{
		{Name: "cron"}, {Name: "every"}, {Name: "at"}, {Name: "timezone"},
		{Name: "overlap"}, {Name: "misfire"}, {Name: "misfire_limit"}, {Name: "start_deadline"},
		{Name: "jitter"}, {Name: "not_before"}, {Name: "not_after"},
		{Name: "dst_gap"}, {Name: "dst_repeat"},
	},
	Blocks: []hcl.BlockHeaderSchema{{Type: "blackout"}},
}

var blackoutSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "from"}, {Name: "to"}, {Name: "cron"}, {Name: "duration"}},
}

// maxMisfireLimit is how many missed instants misfire = "all" may make up for.
const maxMisfireLimit = 1000

// scheduleBlock is where a schedule and its blackout blocks stand.
type scheduleBlock struct {
	*fields
	blackouts []*fields // as the spec's Blackout
}

func (j *jobBlock) decodeSchedule(block *hcl.Block) {
	s := &scheduleBlock{fields: j.child(block, scheduleSchema)}
	schedule := fsm.Schedule{
		Cron:          s.text("cron"),
		Every:         s.duration("every"),
		At:            s.instants("at"),
		Timezone:      s.text("timezone"),
		Jitter:        s.durationOrZero("jitter"),
		NotBefore:     s.instant("not_before"),
		NotAfter:      s.instant("not_after"),
		DSTGap:        s.word("dst_gap", string(cron.GapRun), string(cron.GapSkip)),
		DSTRepeat:     s.word("dst_repeat", string(cron.RepeatOnce), string(cron.RepeatBoth)),
		Overlap:       s.word("overlap", fsm.OverlapAllow, fsm.OverlapForbid, fsm.OverlapQueue, fsm.OverlapReplace),
		Misfire:       s.word("misfire", fsm.MisfireSkip, fsm.MisfireLast, fsm.MisfireAll),
		MisfireLimit:  int(s.count("misfire_limit", maxMisfireLimit)),
		StartDeadline: s.duration("start_deadline"),
	}
	for _, inner := range s.blocks {
		schedule.Blackout = append(schedule.Blackout, s.decodeBlackout(inner))
	}
	j.spec.Schedules = append(j.spec.Schedules, schedule)
	j.schedules = append(j.schedules, s)
}

func (s *scheduleBlock) decodeBlackout(block *hcl.Block) fsm.Blackout {
	f := s.child(block, blackoutSchema)
	s.blackouts = append(s.blackouts, f)
	return fsm.Blackout{
		From:     f.instant("from"),
		To:       f.instant("to"),
		Cron:     f.text("cron"),
		Duration: f.duration("duration"),
	}
}

// ok reports whether the schedule was read without a problem.
func (s *scheduleBlock) ok() bool {
	for _, b := range s.blackouts {
		if !b.ok() {
			return false
		}
	}
	return s.fields.ok()
}

// compile checks a schedule with the code that fires it. One that was not read
// whole is left alone: what is missing was reported.
func (s *scheduleBlock) compile(job fsm.JobKey, schedule *fsm.Schedule) {
	if !s.ok() {
		s.fail("")
		return
	}
	_, err := cronspec.Compile(job, schedule)
	var spec *cron.SpecError
	switch {
	case err == nil:
	case errors.As(err, &spec):
		s.reportSpec(spec)
	default:
		s.errorAt("", s.header, "Invalid schedule", "%s", sentence(err.Error()))
	}
}

// reportSpec reports an error of the time rules at the attribute it names.
func (s *scheduleBlock) reportSpec(err *cron.SpecError) {
	f := s.fields
	if err.Window != cron.ScheduleWide && err.Window < len(s.blackouts) {
		f = s.blackouts[err.Window]
	}
	var syntax *cron.SyntaxError
	if errors.As(err.Err, &syntax) {
		f.reportCron(err.Attribute, syntax)
	} else {
		f.reportAttribute(err.Attribute, err.Err)
	}
	s.fail("") // also when a blackout block has it
}

// reportAttribute reports what the time rules say about an attribute, which may
// be one that the block lacks.
func (f *fields) reportAttribute(name string, err error) {
	switch {
	case !f.has(name):
		f.errorf(name, "Incomplete schedule", "The attribute %q is missing: %v.", name, err)
	case name == "timezone":
		f.errorf(name, "Unknown time zone", "%s", sentence(err.Error()))
	default:
		f.errorf(name, "Invalid schedule", "In %q: %v.", name, err)
	}
}

// reportCron points into the expression where its text stands in the file as it
// is, and otherwise at the attribute.
func (f *fields) reportCron(attribute string, err *cron.SyntaxError) {
	at, found := f.inside(attribute, err.Offset, len(err.Text))
	if !found {
		at = f.at(attribute)
	}
	where := fmt.Sprintf("At offset %d of the expression", err.Offset)
	if err.Field != "" {
		where = fmt.Sprintf("In the field %q, at offset %d of the expression", err.Field, err.Offset)
	}
	problem := err.Problem
	if err.Text != "" {
		problem = fmt.Sprintf("%q %s", err.Text, problem)
	}
	f.errorAt(attribute, at, "Invalid cron expression", "%s: %s.", where, problem)
}
