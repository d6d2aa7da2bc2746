package fsm

import (
	"fmt"
	"maps"
	"slices"
)

// Types of a parameter.
const (
	ParamString = "string"
	ParamNumber = "number"
	ParamBool   = "bool"
)

// Param is a value that a run may be given. One that has no default must be
// given, so that a job with such a one can have no schedule and follow no other.
type Param struct {
	Name string `codec:"n" json:"name"`
	// Type is string, number or bool; empty means string.
	Type        string  `codec:"t,omitempty" json:"type,omitempty"`
	Description string  `codec:"de,omitempty" json:"description,omitempty"`
	Default     *string `codec:"d,omitempty" json:"default,omitempty"`
	// Required forbids a default.
	Required bool `codec:"r,omitempty" json:"required,omitempty"`
	// OneOf lists the accepted values; empty means any.
	OneOf []string `codec:"o,omitempty" json:"one_of,omitempty"`
	// Pattern is a regular expression (RE2) that the whole value must match.
	Pattern string `codec:"p,omitempty" json:"pattern,omitempty"`
}

// Bounds of parameters.
const (
	MaxParams       = 64
	MaxParamValue   = 4 << 10
	MaxParamChoices = 100
)

// ResolveParams returns the value of each of the job's parameters: the given one,
// or the default. It is ErrInvalid if one is missing, unknown, or not accepted.
func (s *JobSpec) ResolveParams(given map[string]string) (map[string]string, error) {
	return s.resolveParams(given, (*Param).Check)
}

func (s *JobSpec) resolveParams(given map[string]string, check func(*Param, string) error) (map[string]string, error) {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if s.Param(name) == nil {
			return nil, fmt.Errorf("%w: job %s has no param %q", ErrInvalid, s.Key(), clip(name, MaxNameLength))
		}
	}
	var values map[string]string
	for i := range s.Params {
		p := &s.Params[i]
		value, ok := given[p.Name]
		switch {
		case ok:
			if err := check(p, value); err != nil {
				return nil, fmt.Errorf("%w: param %q of job %s: %w", ErrInvalid, p.Name, s.Key(), err)
			}
		case p.Default != nil:
			value = *p.Default
		default:
			return nil, fmt.Errorf("%w: param %q of job %s has no default and must be given", ErrInvalid, p.Name, s.Key())
		}
		if values == nil {
			values = make(map[string]string, len(s.Params))
		}
		values[p.Name] = value
	}
	return values, nil
}
