// Package match compiles the constraints of jobs and tests nodes against them.
//
// What it promises: a constraint means the same wherever it is tested, for every
// text that a node may have; testing it takes time linear in that text, since
// regular expressions are RE2; and what cannot be compiled is an error that names
// the accepted form. The package keeps no state. A [Rule] never changes and may be
// used by many goroutines at once.
package match

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rota-scheduler/rota/fsm"
)

// ErrBad: a constraint's value is not of the form that its operator needs.
var ErrBad = errors.New("bad constraint")

// Rule is a compiled constraint.
type Rule struct {
	attribute string
	text      string
	test      func(string) bool
}

// Compile makes a constraint ready to be tested. Its error is ErrBad.
func Compile(c *fsm.Constraint) (*Rule, error) {
	r := &Rule{attribute: c.Attribute, text: c.String()}
	switch c.Test() {
	case fsm.OpEqual:
		r.test = func(s string) bool { return s == c.Value }
	case fsm.OpNotEqual:
		r.test = func(s string) bool { return s != c.Value }
	case fsm.OpIn:
		r.test = func(s string) bool { return slices.Contains(c.Values, s) }
	case fsm.OpRegexp:
		re, err := regexp.Compile(c.Value)
		if err != nil {
			return nil, fmt.Errorf("%w: %q is no regular expression (RE2): %w", ErrBad, c.Value, err)
		}
		r.test = re.MatchString
	case fsm.OpVersion:
		bounds, err := parseBounds(c.Value)
		if err != nil {
			return nil, err
		}
		r.test = bounds.holds
	default:
		return nil, fmt.Errorf("%w: there is no operator %q", ErrBad, c.Operator)
	}
	return r, nil
}

// Holds says whether a node meets the rule. An attribute that the node does not
// have reads as the empty text.
func (r *Rule) Holds(n *fsm.Node) bool { return r.test(n.Attribute(r.attribute)) }

// String spells the rule as people read it.
func (r *Rule) String() string { return r.text }

// Check compiles everything that a job asks of its nodes, and returns what is
// wrong, with the path of the block that validation would give it.
func Check(spec *fsm.JobSpec) []*fsm.FieldError {
	problems := checkPlacing("", &spec.Placing)
	for i := range spec.Tasks {
		t := &spec.Tasks[i]
		problems = append(problems, checkPlacing(fmt.Sprintf("task %q ", t.Name), &t.Placing)...)
	}
	return problems
}

func checkPlacing(prefix string, p *fsm.Placing) []*fsm.FieldError {
	var problems []*fsm.FieldError
	check := func(block string, i int, c *fsm.Constraint) {
		if _, err := Compile(c); err != nil {
			problems = append(problems, &fsm.FieldError{Path: fmt.Sprintf("%s%s[%d] value", prefix, block, i), Message: strings.TrimPrefix(err.Error(), ErrBad.Error()+": ")})
		}
	}
	for i := range p.Constraints {
		check("constraint", i, &p.Constraints[i])
	}
	for i := range p.Affinities {
		check("affinity", i, &p.Affinities[i].Constraint)
	}
	return problems
}
