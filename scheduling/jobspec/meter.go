package jobspec

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Limits of evaluation. A file of a few lines can describe loops within loops, or
// a text that doubles with every line; what it asks for is counted, and refused
// before it is done.
const (
	// maxWork bounds what all expressions of one call do, in units of eight bytes
	// of text or some fifty nanoseconds: one or two seconds.
	maxWork = 24_000_000
	// prepareCost is what reading one part of an expression costs, stepCost what
	// evaluating it does, and nodeCost what an element of a value does.
	prepareCost = 2
	stepCost    = 10
	nodeCost    = 10
	// byteShift: a unit pays for eight bytes of text.
	byteShift = 3

	// Calls look at all their arguments several times, and so do splats.
	callFactor  = 4
	splatFactor = 4

	maxValueNodes = 100_000 // elements of one value, those within included
	maxValueBytes = 1 << 20 // text of one value
	maxValueDepth = 32      // lists within lists
	// maxBinaryExponent keeps a number's digits few: 1e999999999 is short to
	// write, and gigabytes long when it is put into a string.
	maxBinaryExponent = 2048
	// maxNumberText is the longest text that is taken for a number.
	maxNumberText = 64
	maxKeyBytes   = 1024
)

// abort ends an evaluation from within. The HCL library goes on with loops after
// an error, so that returning one would not stop them. Without diagnostics, what
// is wrong has been reported.
type abort struct{ diags hcl.Diagnostics }

// stop ends the evaluation with one problem.
func stop(at hcl.Range, summary, format string, args ...any) {
	panic(&abort{hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: at.Ptr(),
	}}})
}

// meter counts the work of one call.
type meter struct {
	limit     int
	spent     int
	exhausted bool // and reported
}

// spend counts work, and ends the evaluation when there has been too much.
func (m *meter) spend(units int, at hcl.Range) {
	m.spent += units
	switch {
	case m.spent <= m.limit:
	case m.exhausted:
		panic(&abort{})
	default:
		m.exhausted = true
		stop(at, tooMuch, "The expressions of these files take too much work: this is where the limit was reached. "+
			"Look for loops within loops and for values that grow with each step.")
	}
}

const tooMuch = "Too much to evaluate"

// weigh counts a value that came into being, factor times.
func (m *meter) weigh(v cty.Value, factor int, at hcl.Range) {
	w := weight{}
	problem := w.add(v, 0)
	m.spend(factor*(w.nodes*nodeCost+w.bytes>>byteShift), at)
	if problem != "" {
		stop(at, tooMuch, "%s", problem)
	}
}

// weight is the size of a value.
type weight struct{ nodes, bytes int }

// add counts a value and what is in it, and returns which limit it passes.
func (w *weight) add(v cty.Value, depth int) string {
	w.nodes++
	if v.IsNull() || !v.IsKnown() {
		return ""
	}
	t := v.Type()
	switch {
	case t == cty.String:
		if w.bytes += len(v.AsString()); w.bytes > maxValueBytes {
			return fmt.Sprintf("This value has more than %d bytes of text.", maxValueBytes)
		}
	case t == cty.Number:
		return checkMagnitude(v)
	case t.IsPrimitiveType():
	case depth == maxValueDepth:
		return fmt.Sprintf("This value has lists within lists more than %d deep.", maxValueDepth)
	case w.nodes+v.LengthInt() > maxValueNodes:
		return fmt.Sprintf("This value has more than %d elements.", maxValueNodes)
	default:
		return w.addElements(v, depth)
	}
	return ""
}

func (w *weight) addElements(v cty.Value, depth int) string {
	for it := v.ElementIterator(); it.Next(); {
		key, element := it.Element()
		if key.Type() == cty.String && key.IsKnown() {
			w.bytes += len(key.AsString())
		}
		if problem := w.add(element, depth+1); problem != "" {
			return problem
		}
	}
	return ""
}

func checkMagnitude(v cty.Value) string {
	number := v.AsBigFloat()
	if exponent := number.MantExp(nil); number.IsInf() || exponent > maxBinaryExponent || exponent < -maxBinaryExponent {
		return "This number is out of range."
	}
	return ""
}

// metered is a part of an expression that counts what it does.
type metered struct {
	hclsyntax.Expression
	meter *meter
	// made is 0 for a part of a value that was weighed before, and otherwise how
	// many times it counts.
	made int
	// number: the value is needed as a number, of which divisor may not be zero.
	number, divisor bool
	// key: the value is looked up in another.
	key bool
}

// Value evaluates the part. It ends the whole evaluation at the first error.
func (e *metered) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	e.meter.spend(stepCost, e.Range())
	v, diags := e.Expression.Value(ctx)
	if diags.HasErrors() {
		panic(&abort{diags})
	}
	if e.made > 0 {
		e.meter.weigh(v, e.made, e.Range())
	}
	if e.number {
		v = e.asNumber(v)
	}
	if e.key {
		checkKey(v, e.Range())
	}
	return v, diags
}

func checkKey(v cty.Value, at hcl.Range) {
	if v.Type() == cty.String && v.IsKnown() && !v.IsNull() && len(v.AsString()) > maxKeyBytes {
		stop(at, invalidValue, "This key has %d bytes: use at most %d.", len(v.AsString()), maxKeyBytes)
	}
}

// asNumber converts what HCL would convert by itself, without looking at how
// large it is.
func (e *metered) asNumber(v cty.Value) cty.Value {
	if v.IsNull() || !v.IsKnown() || (v.Type() != cty.Number && v.Type() != cty.String) {
		return v // which HCL refuses, or leaves unknown
	}
	if v.Type() == cty.String {
		if len(v.AsString()) > maxNumberText {
			stop(e.Range(), wrongType, "This is a text of %d bytes, and a number is needed.", len(v.AsString()))
		}
		number, err := convert.Convert(v, cty.Number)
		if err != nil {
			return v
		}
		v = number
	}
	if problem := checkMagnitude(v); problem != "" {
		stop(e.Range(), invalidValue, "%s", problem)
	}
	if e.divisor && v.AsBigFloat().Sign() == 0 {
		stop(e.Range(), "Division by zero", "The divisor is zero.")
	}
	return v
}

// conditional evaluates the chosen branch alone. HCL's own evaluates both, and
// makes their types the same, which takes very long for some.
type conditional struct{ *hclsyntax.ConditionalExpr }

func (e *conditional) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	condition, diags := e.Condition.Value(ctx)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	if !condition.IsKnown() {
		return cty.DynamicVal, nil
	}
	yes, err := convert.Convert(condition, cty.Bool)
	if err != nil || yes.IsNull() {
		return cty.DynamicVal, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: wrongType, Subject: e.Condition.Range().Ptr(),
			Detail: "A condition is true or false, and this is " + typeName(condition) + ".",
		}}
	}
	if yes.True() {
		return e.TrueResult.Value(ctx)
	}
	return e.FalseResult.Value(ctx)
}
