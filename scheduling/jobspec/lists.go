package jobspec

import (
	"math/big"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// texts reads a list of strings. With lenient set, numbers and bools are written
// out as strings.
func (f *fields) texts(name string, lenient bool) []string {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	if !isList(v) {
		f.errorf(name, wrongType, `%s is a list of strings, such as ["a", "b"], and this is %s.`, name, typeName(v))
		return nil
	}
	if v.LengthInt() == 0 {
		return nil
	}
	texts := make([]string, 0, v.LengthInt())
	for i, element := range v.AsValueSlice() {
		s, problem := elementText(element, lenient)
		if problem != "" {
			f.errorAt(name, f.element(name, i), wrongType, "An element of %s is a string: %s", name, problem)
			return nil
		}
		texts = append(texts, s)
	}
	return texts
}

// textOrTexts reads a list of strings, or one. Numbers are written out.
func (f *fields) textOrTexts(name string) []string {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	if isList(v) {
		return f.texts(name, true)
	}
	s, problem := elementText(v, true)
	if problem != "" {
		f.errorf(name, wrongType, "%s is a string or a list of strings: %s", name, problem)
		return nil
	}
	return []string{s}
}

// table reads a map of strings; numbers and bools are written out as strings.
func (f *fields) table(name string) map[string]string {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		f.errorf(name, wrongType, `%s is a map of strings, such as { key = "value" }, and this is %s.`, name, typeName(v))
		return nil
	}
	// HCL lets the last of equal keys win, in silence.
	if object, ok := f.attrs[name].Expr.(*hclsyntax.ObjectConsExpr); ok && len(object.Items) != v.LengthInt() {
		f.errorf(name, invalidValue, "A key of %s stands twice. Give each key once.", name)
		return nil
	}
	if v.LengthInt() == 0 {
		return nil
	}
	table := make(map[string]string, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		key, element := it.Element()
		s, problem := elementText(element, true)
		if problem != "" {
			f.errorAt(name, f.item(name, key.AsString()), wrongType, "A value of %s is a string: %s", name, problem)
			return nil
		}
		table[key.AsString()] = s
	}
	return table
}

// item returns where a value of a map stands.
func (f *fields) item(name, key string) hcl.Range {
	object, ok := f.attrs[name].Expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return f.at(name)
	}
	for _, item := range object.Items {
		if !isConstantKey(item.KeyExpr) {
			continue
		}
		if v, diags := item.KeyExpr.Value(nil); !diags.HasErrors() && v.Type() == cty.String && v.AsString() == key {
			return item.ValueExpr.Range()
		}
	}
	return f.at(name)
}

// elementText returns an element of a list or a map as a string, or what is
// wrong with it. With lenient set, a number or a bool is written out.
func elementText(v cty.Value, lenient bool) (s, problem string) {
	if !v.IsNull() && v.Type() == cty.String { // as nearly all are; converting costs ten times as much
		return v.AsString(), checkText(v.AsString())
	}
	if v.IsNull() || !v.Type().IsPrimitiveType() || !lenient {
		return "", "this is " + typeName(v) + "."
	}
	text, err := convert.Convert(v, cty.String)
	if err != nil {
		return "", err.Error() + "."
	}
	return text.AsString(), checkText(text.AsString())
}

// interval reads a list of two whole numbers.
func (f *fields) interval(name string) *[2]int64 {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	if !isList(v) || v.LengthInt() != 2 {
		f.errorf(name, wrongType, "%s is a list of two whole numbers, such as [0, 1000], of which the second is not part of it.", name)
		return nil
	}
	var ends [2]int64
	for i, element := range v.AsValueSlice() {
		if element.IsNull() || element.Type() != cty.Number {
			f.errorAt(name, f.element(name, i), wrongType, "An end of %s is a whole number, and this is %s.", name, typeName(element))
			return nil
		}
		n, accuracy := element.AsBigFloat().Int64()
		if accuracy != big.Exact {
			f.errorAt(name, f.element(name, i), invalidValue, "An end of %s is a whole number that fits in 63 bits.", name)
			return nil
		}
		ends[i] = n
	}
	return &ends
}

func isList(v cty.Value) bool {
	t := v.Type()
	return t.IsTupleType() || t.IsListType() || t.IsSetType()
}
