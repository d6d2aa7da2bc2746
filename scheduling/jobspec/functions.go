package jobspec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// A builtin is a function of the language. None reads the clock, files or the
// environment: a file means the same everywhere and always.
type builtin struct {
	function function.Function
	// estimate returns about how many bytes the result will have, where that can
	// be far more than the arguments have. They are known and not null.
	estimate func(args []cty.Value) int
}

// functions are all that expressions may call.
var functions = map[string]builtin{
	"abs": {function: stdlib.AbsoluteFunc}, "ceil": {function: stdlib.CeilFunc}, "floor": {function: stdlib.FloorFunc},
	"max": {function: stdlib.MaxFunc}, "min": {function: stdlib.MinFunc},
	"range": {function: stdlib.RangeFunc}, // at most 1024 numbers

	"lower": {function: stdlib.LowerFunc}, "upper": {function: stdlib.UpperFunc}, "substr": {function: stdlib.SubstrFunc},
	"trim": {function: stdlib.TrimFunc}, "trimspace": {function: stdlib.TrimSpaceFunc}, "chomp": {function: stdlib.ChompFunc},
	"trimprefix": {function: stdlib.TrimPrefixFunc}, "trimsuffix": {function: stdlib.TrimSuffixFunc},
	"format":  {function: stdlib.FormatFunc, estimate: formatSize},
	"join":    {function: stdlib.JoinFunc, estimate: joinSize},
	"replace": {function: stdlib.ReplaceFunc, estimate: replaceSize},
	"split":   {function: stdlib.SplitFunc, estimate: splitSize},

	"jsonencode": {function: stdlib.JSONEncodeFunc}, "jsondecode": {function: stdlib.JSONDecodeFunc, estimate: jsonSize},
	"formatdate": {function: stdlib.FormatDateFunc},

	"concat": {function: concatFunc}, "contains": {function: stdlib.ContainsFunc}, "distinct": {function: distinctFunc},
	"element": {function: stdlib.ElementFunc}, "flatten": {function: stdlib.FlattenFunc}, "keys": {function: stdlib.KeysFunc},
	"length": {function: lengthFunc}, "lookup": {function: stdlib.LookupFunc}, "merge": {function: stdlib.MergeFunc},
	"reverse": {function: stdlib.ReverseListFunc}, "slice": {function: stdlib.SliceFunc}, "sort": {function: stdlib.SortFunc},
	"values": {function: stdlib.ValuesFunc}, "zipmap": {function: stdlib.ZipmapFunc},

	"coalesce": {function: coalesceFunc}, "tostring": {function: stdlib.MakeToFunc(cty.String)},
	"tonumber": {function: stdlib.MakeToFunc(cty.Number)}, "tobool": {function: stdlib.MakeToFunc(cty.Bool)},
	"toset": {function: stdlib.MakeToFunc(cty.Set(cty.String))},
}

func functionNames() []string { return slices.Sorted(maps.Keys(functions)) }

// guardedFunctions returns the functions as expressions call them: what would
// make something huge is refused before it is made.
func guardedFunctions() map[string]function.Function {
	guarded := make(map[string]function.Function, len(functions))
	for name, b := range functions {
		guarded[name] = b.guarded()
	}
	return guarded
}

func (b builtin) guarded() function.Function {
	spec := &function.Spec{Params: b.function.Params(), VarParam: b.function.VarParam()}
	spec.Type = func(args []cty.Value) (cty.Type, error) {
		if err := b.check(args); err != nil {
			return cty.NilType, err
		}
		return b.function.ReturnTypeForValues(args)
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) { return b.function.Call(args) }
	return function.New(spec)
}

// check refuses arguments that are dangerous to work with.
func (b builtin) check(args []cty.Value) error {
	for i, a := range args {
		if !a.IsWhollyKnown() || a.IsNull() {
			return nil // of which nothing is made
		}
		if a.Type() == cty.Number && checkMagnitude(a) != "" {
			return function.NewArgErrorf(i, "the number is out of range")
		}
		if a.Type() == cty.String && len(a.AsString()) > maxNumberText && len(b.function.Params()) == 1 && b.function.Params()[0].Name == "v" {
			return function.NewArgErrorf(i, "a text of %d bytes is neither a number nor a bool", len(a.AsString()))
		}
	}
	if b.estimate == nil {
		return nil
	}
	if n := b.estimate(args); n > maxValueBytes {
		return fmt.Errorf("the result may have more than %d bytes or %d elements, or lists more than %d deep", maxValueBytes, maxValueNodes, maxValueDepth)
	}
	return nil
}

// elementBytes is what an element of a list counts for in an estimate.
const elementBytes = maxValueBytes / maxValueNodes

// maxWidth is the largest width and precision in a format.
const maxWidth = 1000

// formatSize takes every verb for the longest argument.
func formatSize(args []cty.Value) int {
	form, longest, verbs := args[0].AsString(), 0, 0
	for _, a := range args[1:] {
		w := weight{}
		_ = w.add(a, 0) // its limits have been checked
		longest = max(longest, 6*w.bytes+700*w.nodes)
	}
	for digits, rest := 0, form; rest != ""; rest = rest[1:] {
		switch c := rest[0]; {
		case c == '%':
			verbs++
			digits = 0
		case '0' <= c && c <= '9':
			if digits++; verbs > 0 && digits > 3 && isWidth(form[:len(form)-len(rest)]) {
				return maxValueBytes + 1
			}
		default:
			digits = 0
		}
	}
	return len(form) + verbs*(longest+2*maxWidth)
}

// isWidth reports whether digits at the end of text belong to a verb.
func isWidth(text string) bool {
	return strings.HasSuffix(strings.TrimRight(text, "0123456789.+-# []"), "%")
}

func joinSize(args []cty.Value) int {
	total, n := 0, 0
	for _, list := range args[1:] {
		n += list.LengthInt()
		for it := list.ElementIterator(); it.Next(); {
			if _, v := it.Element(); !v.IsNull() {
				total += len(v.AsString())
			}
		}
	}
	return total + n*len(args[0].AsString())
}

func replaceSize(args []cty.Value) int {
	text, old, replacement := args[0].AsString(), args[1].AsString(), args[2].AsString()
	return len(text) + strings.Count(text, old)*len(replacement)
}

func splitSize(args []cty.Value) int {
	return elementBytes * strings.Count(args[1].AsString(), args[0].AsString())
}

// maxJSONDepth bounds the brackets within brackets that are decoded.
const maxJSONDepth = maxValueDepth

func jsonSize(args []cty.Value) int {
	elements, depth := 0, 0
	for _, c := range []byte(args[0].AsString()) {
		switch c {
		case '[', '{':
			elements++
			if depth++; depth > maxJSONDepth {
				return maxValueBytes + 1
			}
		case ']', '}':
			depth--
		case ',':
			elements++
		}
	}
	return elementBytes * elements
}

// concatFunc makes one list of several, whatever types their elements have. The
// library's looks for a type that fits them all, which takes long for some.
var concatFunc = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "lists", Type: cty.DynamicPseudoType},
	Type:     typeOf(concat),
	Impl:     implOf(concat),
})

func concat(args []cty.Value) (cty.Value, error) {
	var all []cty.Value
	for i, list := range args {
		if !isList(list) {
			return cty.NilVal, function.NewArgErrorf(i, "a list is needed, and this is %s", typeName(list))
		}
		all = append(all, list.AsValueSlice()...)
	}
	return cty.TupleVal(all), nil
}

// distinctFunc drops repeated strings, numbers and bools, in a time that grows
// with the length of the list and not with its square.
var distinctFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type:   typeOf(distinct),
	Impl:   implOf(distinct),
})

func distinct(args []cty.Value) (cty.Value, error) {
	if !isList(args[0]) {
		return cty.NilVal, function.NewArgErrorf(0, "a list is needed, and this is %s", typeName(args[0]))
	}
	type key struct{ kind, text string }
	seen := map[key]bool{}
	var kept []cty.Value
	for _, v := range args[0].AsValueSlice() {
		if v.IsNull() || !v.Type().IsPrimitiveType() {
			return cty.NilVal, function.NewArgErrorf(0, "the elements are strings, numbers or bools, and one is %s", typeName(v))
		}
		text, err := convert.Convert(v, cty.String)
		if err != nil {
			return cty.NilVal, function.NewArgError(0, err)
		}
		k := key{v.Type().FriendlyName(), text.AsString()}
		if !seen[k] {
			seen[k] = true
			kept = append(kept, v)
		}
	}
	return cty.TupleVal(kept), nil
}

// coalesceFunc returns the first argument that is neither null nor "".
var coalesceFunc = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "values", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true},
	Type:     typeOf(coalesce),
	Impl:     implOf(coalesce),
})

func coalesce(args []cty.Value) (cty.Value, error) {
	for _, v := range args {
		if !v.IsNull() && !(v.Type() == cty.String && v.AsString() == "") {
			return v, nil
		}
	}
	return cty.NilVal, fmt.Errorf("all arguments are null or empty")
}

// lengthFunc counts the characters of a text or the elements of anything else.
var lengthFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType}},
	Type: func(args []cty.Value) (cty.Type, error) {
		if t := args[0].Type(); t.IsPrimitiveType() && t != cty.String {
			return cty.NilType, function.NewArgErrorf(0, "a string, a list or a map is needed, and this is %s", typeName(args[0]))
		}
		return cty.Number, nil
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if args[0].Type() == cty.String {
			return stdlib.Strlen(args[0])
		}
		return cty.NumberIntVal(int64(args[0].LengthInt())), nil
	},
})

// typeOf makes a function whose result's type depends on the values of its
// arguments: it is known once they are.
func typeOf(compute func([]cty.Value) (cty.Value, error)) function.TypeFunc {
	return func(args []cty.Value) (cty.Type, error) {
		for _, a := range args {
			if !a.IsWhollyKnown() {
				return cty.DynamicPseudoType, nil
			}
		}
		v, err := compute(args)
		if err != nil {
			return cty.NilType, err
		}
		return v.Type(), nil
	}
}

func implOf(compute func([]cty.Value) (cty.Value, error)) function.ImplFunc {
	return func(args []cty.Value, _ cty.Type) (cty.Value, error) { return compute(args) }
}
