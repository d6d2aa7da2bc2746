package jobspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/rota-scheduler/rota/fsm"
)

var paramSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{
		{Name: "type"}, {Name: "default"}, {Name: "required"}, {Name: "one_of"}, {Name: "pattern"}, {Name: "description"},
	},
}

func (j *jobBlock) decodeParam(block *hcl.Block) {
	f := j.child(block, paramSchema)
	name := block.Labels[0]
	for i := range j.spec.Params {
		if j.spec.Params[i].Name == name {
			j.errorAt("", block.DefRange, "Duplicate param", "The job already has a param %q, at %s.", name, place(j.params[i].header))
			return
		}
	}
	p := fsm.Param{
		Name:        name,
		Type:        f.paramType(),
		Description: f.text("description"),
		Default:     f.literal("default"),
		Required:    f.flag("required"),
		OneOf:       f.texts("one_of", true),
		Pattern:     f.text("pattern"),
	}
	if !f.ok() { // whether the default fits the rest is then unknown
		f.fail("default")
	}
	j.spec.Params = append(j.spec.Params, p)
	j.params = append(j.params, f)
}

// paramType reads a type, as a bare word as in a variable block, or in quotes.
func (f *fields) paramType() string {
	accepted := []string{fsm.ParamString, fsm.ParamNumber, fsm.ParamBool}
	if attr := f.attrs["type"]; attr != nil {
		for _, word := range accepted {
			if hcl.ExprAsKeyword(attr.Expr) == word {
				return word
			}
		}
	}
	return f.word("type", accepted...)
}

// literal reads a string, number or bool as text; nil means that there is none.
func (f *fields) literal(name string) *string {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	if !v.Type().IsPrimitiveType() {
		f.errorf(name, wrongType, "%s is a string, a number or a bool, and this is %s.", name, typeName(v))
		return nil
	}
	text, err := convert.Convert(v, cty.String)
	if err != nil {
		f.errorf(name, wrongType, "%s", sentence(err.Error()))
		return nil
	}
	s := text.AsString()
	return &s
}
