package fsm

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MaxAfter bounds the jobs that a job may follow.
const MaxAfter = 100

// maxRangeEnd bounds a range's ends, so that its length is a number as well.
const maxRangeEnd = 1 << 61

// shards checks one task's shards block by itself.
func (v *validator) shards(path string, t *Task) {
	s := t.Shards
	if s == nil {
		return
	}
	v.between(path+" count", int64(s.Count), 0, MaxShards)
	v.between(path+" max_parallel", int64(s.MaxParallel), 0, MaxShards)
	sources := 0
	for _, set := range []bool{s.Range != nil, len(s.Items) > 0, s.ItemsFrom != ""} {
		if set {
			sources++
		}
	}
	switch {
	case s.Count != 0 && s.PerNode:
		v.add(path, "count and per_node exclude each other")
	case sources > 1:
		v.add(path, "want at most one of range, items and items_from, found %d", sources)
	case s.Count == 0 && !s.PerNode && sources == 0:
		v.add(path, "want count, per_node = true, items or items_from")
	case s.Count == 0 && !s.PerNode && s.Range != nil:
		v.add(path+" range", "a range needs count or per_node")
	}
	if r := s.Range; r != nil && (r[0] >= r[1] || r[0] < -maxRangeEnd || r[1] > maxRangeEnd) {
		v.add(path+" range", "[%d, %d]: want a start below the end; the end is not part of the range", r[0], r[1])
	}
	size := 0
	for _, item := range s.Items {
		size += len(item)
	}
	if len(s.Items) > MaxItems || size > MaxItemBytes {
		v.add(path+" items", "%d items of %d bytes: at most %d items and %d bytes are allowed", len(s.Items), size, MaxItems, MaxItemBytes)
	}
}

// graph checks what tasks say of each other and of the job's parameters.
func (v *validator) graph(s *JobSpec) {
	byName := make(map[string]*Task, len(s.Tasks))
	for i := range s.Tasks {
		byName[s.Tasks[i].Name] = &s.Tasks[i]
	}
	endings := NewEndings(s, distantOutputs(s))
	for i := range s.Tasks {
		t := &s.Tasks[i]
		if t.Shards != nil && t.Shards.ItemsFrom != "" {
			v.itemsFrom(fmt.Sprintf("task %q shards items_from", t.Name), t, byName)
		}
		for field, text := range t.Texts() {
			v.references(fmt.Sprintf("task %q %s", t.Name, field), text, s, t, endings)
		}
	}
}

// distantOutputs lists the tasks whose output is read by one that does not depend
// on them itself.
func distantOutputs(s *JobSpec) []string {
	var distant []string
	for i := range s.Tasks {
		t := &s.Tasks[i]
		for _, text := range t.Texts() {
			names, _ := References(text) // what is wrong with it is reported elsewhere
			for _, name := range names {
				if other, ok := OutputReference(name); ok && !slices.Contains(t.DependsOn, other) {
					distant = append(distant, other)
				}
			}
		}
	}
	return distant
}

func (v *validator) itemsFrom(path string, t *Task, byName map[string]*Task) {
	from := t.Shards.ItemsFrom
	switch {
	case !slices.Contains(t.DependsOn, from):
		v.add(path, "depends_on does not name task %q: its output must be there first", from)
	case byName[from] != nil && byName[from].Shards != nil:
		v.add(path, "task %q has shards itself: only one output can be the list", from)
	case byName[from] != nil && (byName[from].DriverName() == DriverNoop || byName[from].DriverName() == DriverHTTP):
		v.add(path, "task %q has the %s driver, and so no output that could be a list", from, byName[from].DriverName())
	}
}

func (v *validator) references(path, text string, s *JobSpec, t *Task, endings *Endings) {
	names, err := References(text)
	if err != nil {
		v.add(path, "%s", strings.TrimPrefix(err.Error(), ErrInvalid.Error()+": "))
		return
	}
	for _, name := range names {
		if err := CheckReference(name); err != nil {
			v.add(path, "%s", strings.TrimPrefix(err.Error(), ErrInvalid.Error()+": "))
			continue
		}
		if p, ok := ParamReference(name); ok && s.Param(p) == nil {
			v.add(path, "${%s}: the job has no param %q", name, p)
		}
		if other, ok := OutputReference(name); ok && !endings.Before(t, other) {
			v.add(path, "${%s}: task %q may not have ended when this one starts: name it in depends_on", name, other)
		}
	}
}

var paramForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

func (v *validator) params(s *JobSpec) {
	v.between("param", int64(len(s.Params)), 0, MaxParams)
	seen := map[string]bool{}
	for i := range s.Params {
		p := &s.Params[i]
		path := fmt.Sprintf("param %q", p.Name)
		if len(p.Name) > MaxNameLength || !paramForm.MatchString(p.Name) {
			v.add(path, "want a name of letters, digits and '_', beginning with a letter")
		}
		if upper := strings.ToUpper(p.Name); seen[upper] {
			v.add(path, "there is already a param of this name; upper and lower case are the same in ROTA_PARAM_%s", upper)
		} else {
			seen[upper] = true
		}
		v.param(path, p)
		if p.Default == nil && (len(s.Schedules) > 0 || len(s.After) > 0) {
			v.add(path+" default", "a job that starts by itself (schedule, after) needs a default for each param")
		}
	}
}

func (v *validator) param(path string, p *Param) {
	v.oneOf(path+" type", p.Type, ParamString, ParamNumber, ParamBool)
	v.between(path+" one_of", int64(len(p.OneOf)), 0, MaxParamChoices)
	if p.Required && p.Default != nil {
		v.add(path+" default", "a required param has no default")
	}
	if p.Pattern != "" {
		if len(p.Pattern) > MaxNameLength {
			v.add(path+" pattern", "longer than %d bytes", MaxNameLength)
			return
		}
		if _, err := regexp.Compile(p.Pattern); err != nil {
			v.add(path+" pattern", "%q: %s", p.Pattern, err)
			return
		}
	}
	for _, choice := range p.OneOf {
		if err := p.checkForm(choice); err != nil {
			v.add(path+" one_of", "%s", err)
		}
	}
	if p.Default != nil {
		if err := p.Check(*p.Default); err != nil {
			v.add(path+" default", "%s", err)
		}
	}
}

// checkForm says whether s has the parameter's type.
func (p *Param) checkForm(s string) error {
	if len(s) > MaxParamValue || strings.ContainsRune(s, 0) {
		return fmt.Errorf("want at most %d bytes, none of them zero", MaxParamValue)
	}
	switch p.Type {
	case ParamNumber:
		if _, err := strconv.ParseFloat(s, 64); err != nil || strings.ContainsAny(s, "xXpP_nN") {
			return fmt.Errorf("%q: want a number such as 12 or 0.5", s)
		}
	case ParamBool:
		if s != "true" && s != "false" {
			return fmt.Errorf("%q: want true or false", s)
		}
	}
	return nil
}

// checkChoice says whether s has the parameter's type and is one of its choices.
func (p *Param) checkChoice(s string) error {
	if err := p.checkForm(s); err != nil {
		return err
	}
	if len(p.OneOf) > 0 && !slices.Contains(p.OneOf, s) {
		return fmt.Errorf("%q: want one of %s", s, strings.Join(p.OneOf, ", "))
	}
	return nil
}

// Check says whether s is a value for the parameter. It compiles the pattern, so
// that it is not for Apply.
func (p *Param) Check(s string) error {
	if err := p.checkChoice(s); err != nil {
		return err
	}
	if p.Pattern == "" {
		return nil
	}
	re, err := regexp.Compile(`^(?:` + p.Pattern + `)$`)
	if err != nil {
		return fmt.Errorf("pattern %q: %w", p.Pattern, err)
	}
	if !re.MatchString(s) {
		return fmt.Errorf("%q does not match the pattern %q", s, p.Pattern)
	}
	return nil
}

func (v *validator) after(s *JobSpec) {
	v.between("after", int64(len(s.After)), 0, MaxAfter)
	seen := map[string]bool{}
	for _, name := range s.After {
		switch {
		case CheckName(name) != nil:
			v.name("after", name)
		case name == s.Name:
			v.add("after", "the job cannot follow itself")
		case seen[name]:
			v.add("after", "names job %q twice", name)
		}
		seen[name] = true
	}
}

// Param returns the parameter of that name, or nil.
func (s *JobSpec) Param(name string) *Param {
	for i := range s.Params {
		if s.Params[i].Name == name {
			return &s.Params[i]
		}
	}
	return nil
}
