package fsm

import (
	"cmp"
	"slices"
	"strings"
)

// Constraint is a rule that a node must meet to take work of a job or task.
type Constraint struct {
	// Attribute names what is looked at: region, zone, name, os, arch, version, or
	// label.X. One that a node does not have reads as the empty text.
	Attribute string `codec:"a" json:"attribute"`
	Operator  string `codec:"o,omitempty" json:"operator,omitempty"`
	// Value is what = and != compare with, the regular expression, or the
	// condition on a version; Values is the list of "in".
	Value  string   `codec:"v,omitempty" json:"value,omitempty"`
	Values []string `codec:"vs,omitempty" json:"values,omitempty"`
}

// Operators of a constraint.
const (
	OpEqual    = "="
	OpNotEqual = "!="
	OpIn       = "in"
	// OpRegexp: the expression (RE2) matches somewhere in the attribute.
	OpRegexp = "regexp"
	// OpVersion: the attribute is a version that meets a condition such as
	// ">= 1.2, < 2".
	OpVersion = "version"
)

// Test returns the operator, = if none is set.
func (c *Constraint) Test() string { return cmp.Or(c.Operator, OpEqual) }

// String spells the constraint as people read it: `label.disk = ssd`.
func (c *Constraint) String() string {
	value := c.Value
	if c.Test() == OpIn {
		value = strings.Join(c.Values, ", ")
	}
	return c.Attribute + " " + c.Test() + " " + value
}

// Affinity is a wish: nodes that meet it are preferred or, with a negative
// weight, avoided.
type Affinity struct {
	Constraint
	// Weight is in points of the score; 0 means DefaultPreference.
	Weight int `codec:"w,omitempty" json:"weight,omitempty"`
}

// Points returns the weight.
func (a *Affinity) Points() int { return cmp.Or(a.Weight, DefaultPreference) }

// Spread is the wish that the attempts of a task be as many on each value of an
// attribute.
type Spread struct {
	Attribute string `codec:"a" json:"attribute"`
	// Weight is in points of the score; 0 means DefaultPreference.
	Weight int `codec:"w,omitempty" json:"weight,omitempty"`
}

// Points returns the weight.
func (s *Spread) Points() int { return cmp.Or(s.Weight, DefaultPreference) }

// Placing is what a job or a task asks of the nodes that take its work. What a
// job asks holds for each of its tasks as well.
type Placing struct {
	Constraints []Constraint `codec:"co,omitempty" json:"constraints,omitempty"`
	Affinities  []Affinity   `codec:"ay,omitempty" json:"affinities,omitempty"`
	Spreads     []Spread     `codec:"sp,omitempty" json:"spreads,omitempty"`
}

func (p *Placing) empty() bool { return len(p.Constraints)+len(p.Affinities)+len(p.Spreads) == 0 }

// places says whether the job asks anything of the nodes or pools that it gets.
func (s *JobSpec) places() bool {
	return !s.empty() || slices.ContainsFunc(s.Tasks, func(t Task) bool {
		return !t.empty() || t.MaxPerNode > 0 || len(t.Pools) > 0
	})
}

// Bounds of what a job or a task asks of its nodes.
const (
	MaxPlacingRules    = 32
	MaxConstraintValue = 256
	MaxConstraintList  = 100
	MaxPreference      = 100
	DefaultPreference  = 50
	MaxPerNodeLimit    = MaxShards
)

// LabelPrefix begins the attributes that are labels of a node.
const LabelPrefix = "label."

// NodeAttributes are those that every node has.
var NodeAttributes = []string{"region", "zone", "name", "os", "arch", "version"}

// Attribute returns what a constraint looks at, "" if the node has no such thing.
func (n *Node) Attribute(name string) string {
	switch name {
	case "region":
		return n.Region
	case "zone":
		return n.Zone
	case "name":
		return n.Name
	case "os":
		return n.OS
	case "arch":
		return n.Arch
	case "version":
		return n.Version
	}
	label, _ := strings.CutPrefix(name, LabelPrefix)
	return n.Labels[label]
}

// placing checks what a job or a task asks of its nodes. What takes a compiler
// (regular expressions, versions) is checked where a job enters the cluster, not
// by Apply: another version of Go may read a pattern in another way.
func (v *validator) placing(prefix string, p *Placing) {
	v.between(prefix+"constraint", int64(len(p.Constraints)), 0, MaxPlacingRules)
	v.between(prefix+"affinity", int64(len(p.Affinities)), 0, MaxPlacingRules)
	v.between(prefix+"spread", int64(len(p.Spreads)), 0, MaxPlacingRules)
	for i := range p.Constraints {
		v.constraint(indexed(prefix+"constraint", i), &p.Constraints[i])
	}
	for i := range p.Affinities {
		a := &p.Affinities[i]
		v.constraint(indexed(prefix+"affinity", i), &a.Constraint)
		v.between(indexed(prefix+"affinity", i)+" weight", int64(a.Weight), -MaxPreference, MaxPreference)
	}
	for i := range p.Spreads {
		v.attribute(indexed(prefix+"spread", i), p.Spreads[i].Attribute)
		v.between(indexed(prefix+"spread", i)+" weight", int64(p.Spreads[i].Weight), 0, MaxPreference)
	}
}

func (v *validator) attribute(path, name string) {
	label, isLabel := strings.CutPrefix(name, LabelPrefix)
	if isLabel && label != "" && len(label) <= MaxNameLength || slices.Contains(NodeAttributes, name) {
		return
	}
	v.add(path+" attribute", "%q: want one of %s, or label.X", name, strings.Join(NodeAttributes, ", "))
}

func (v *validator) constraint(path string, c *Constraint) {
	v.attribute(path, c.Attribute)
	v.oneOf(path+" operator", c.Operator, OpEqual, OpNotEqual, OpIn, OpRegexp, OpVersion)
	v.between(path+" values", int64(len(c.Values)), 0, MaxConstraintList)
	switch {
	case c.Test() == OpIn && len(c.Values) == 0:
		v.add(path+" values", "the operator in needs a list: values = [\"a\", \"b\"]")
	case c.Test() == OpIn && c.Value != "":
		v.add(path+" value", "the operator in takes its list in values")
	case c.Test() != OpIn && len(c.Values) > 0:
		v.add(path+" values", "the operator %s takes one value: write value = \"...\"", c.Test())
	case c.Value == "" && (c.Test() == OpRegexp || c.Test() == OpVersion):
		v.add(path+" value", "the operator %s needs a value", c.Test())
	}
	if len(c.Value) > MaxConstraintValue || slices.ContainsFunc(c.Values, func(s string) bool { return len(s) > MaxConstraintValue }) {
		v.add(path+" value", "longer than %d bytes", MaxConstraintValue)
	}
}
