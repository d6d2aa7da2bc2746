package fsm

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
