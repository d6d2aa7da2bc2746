package jobspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/rota-scheduler/rota/fsm"
)

var notifySchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{
		{Name: "on"}, {Name: "timeout"},
		{Name: "url"}, {Name: "secret"}, {Name: "secret_file"},
		{Name: "command"}, {Name: "args"}, {Name: "env"}, {Name: "user"},
	},
}

// notifyAttributes are those that only one kind of notify block has.
var notifyAttributes = map[string][]string{
	fsm.NotifyWebhook: {"url", "secret", "secret_file"},
	fsm.NotifyExec:    {"command", "args", "env", "user"},
}

func (j *jobBlock) decodeNotify(block *hcl.Block) {
	f := j.child(block, notifySchema)
	n := fsm.Notify{
		Kind:       block.Labels[0],
		On:         f.texts("on", false),
		Timeout:    f.duration("timeout"),
		URL:        f.text("url"),
		Secret:     fsm.Secret(f.text("secret")),
		SecretFile: f.text("secret_file"),
		Command:    f.text("command"),
		Args:       f.texts("args", true),
		Env:        f.table("env"),
		User:       f.text("user"),
	}
	if f.failed[""] { // what it lacks may be among what HCL refused
		for _, attribute := range notifySchema.Attributes {
			f.fail(attribute.Name)
		}
	}
	f.checkKind(n.Kind, block)
	f.checkSecret(n.Secret)
	f.checkEvents(n.On, j)
	j.spec.Notify = append(j.spec.Notify, n)
	j.notify = append(j.notify, f)
}

// checkKind reports an unknown kind, and attributes that belong to another one.
func (f *fields) checkKind(kind string, block *hcl.Block) {
	if notifyAttributes[kind] == nil {
		at := block.DefRange
		if len(block.LabelRanges) > 0 {
			at = block.LabelRanges[0]
		}
		f.errorAt("", at, "Unknown kind of notification", "There is no notify %q: want notify %q or notify %q.", kind, fsm.NotifyWebhook, fsm.NotifyExec)
		return
	}
	for other, names := range notifyAttributes {
		for _, name := range names {
			if other != kind && f.has(name) {
				f.fail("")
				f.errorf(name, "Wrong attribute", "%q is for notify %q. A notify %q has %s.", name, other, kind, strings.Join(append([]string{"on", "timeout"}, notifyAttributes[kind]...), ", "))
			}
		}
	}
}

// checkSecret refuses an empty secret: whoever wrote it believes that the requests
// are signed.
func (f *fields) checkSecret(secret fsm.Secret) {
	if secret != "" || f.failed["secret"] || !f.has("secret") {
		return
	}
	if _, given := f.value("secret"); given {
		f.errorf("secret", invalidValue, "secret is empty. Give one, or leave it out: then the requests are not signed.")
	}
}

// checkEvents reports each event that is unknown or stands twice at its place in
// the list.
func (f *fields) checkEvents(on []string, j *jobBlock) {
	seen := map[string]bool{}
	for i, event := range on {
		at := f.element("on", i)
		switch {
		case !slices.Contains(fsm.EventNames, event):
			f.errorAt("on", at, "Unknown event", "There is no event %q.%s There are: %s.", event, suggest(event, fsm.EventNames), strings.Join(fsm.EventNames, ", "))
		case seen[event]:
			f.errorAt("on", at, "Duplicate event", "The list already names %q.", event)
		case event == fsm.EventSlow && !j.has("expected_duration"):
			f.errorAt("on", at, "Missing expectation", "Whether a run is slow can only be told if the job has an expected_duration.")
		}
		seen[event] = true
	}
	if j.failed["expected_duration"] {
		f.fail("on") // there is one
	}
	if f.ok() && !f.has("on") {
		f.errorAt("on", f.header, "Missing events", "A notify block says of what it tells: on = [%q], for example. There are: %s.", fsm.EventFailure, strings.Join(fsm.EventNames, ", "))
	}
}

// notifyPath is how validation names the block i.
func notifyPath(i int) string { return fmt.Sprintf("notify[%d]", i) }
