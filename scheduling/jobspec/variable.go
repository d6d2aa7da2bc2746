package jobspec

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// maxDeclared bounds the variables, and the local values, of one call.
const maxDeclared = 1000

// Input gives values to variables. Of several for one variable the last counts.
type Input struct {
	// Source is the text, and the name under which it stands in diagnostics.
	Source Source
	// Variable names the one variable that the text is the value of: as it is for
	// a string, else written as in a job file. When it is empty, the text is a
	// file of attributes, one for each variable.
	Variable string
	// Optional: it may name a variable that no file declares.
	Optional bool
}

var variableSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "type"}, {Name: "default"}, {Name: "description"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "validation"}},
}

var validationSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "condition", Required: true}, {Name: "error_message", Required: true}},
}

// variable is a variable block while it is read.
type variable struct {
	*fields
	name string
	kind cty.Type // cty.DynamicPseudoType where the block names none
}

// given is a value for a variable from outside, not read yet.
type given struct {
	text *Source        // for a single value
	expr hcl.Expression // for one of a file
	at   hcl.Range
}

// variables reads the variable blocks and gives them their values.
func (d *decoder) variables(inputs []Input) {
	declared := map[string]*variable{}
	for _, file := range d.files {
		for _, block := range blocksOf(file.body, "variable") {
			d.guard(file.src, func() { d.declare(declared, file.src, block) })
		}
	}
	values := map[string]given{}
	for _, input := range inputs {
		d.guard(input.Source, func() { d.collect(values, declared, input) })
	}
	for _, name := range sortedKeys(declared) {
		v := declared[name]
		d.guard(Source{Name: v.header.Filename}, func() {
			value, ok := v.resolve(values[name])
			if !ok {
				d.env.failedVars[name] = true
				return
			}
			d.env.vars[name] = value
		})
	}
	for name := range d.env.failedVars {
		d.env.vars[name] = cty.DynamicVal
	}
	d.env.publish()
	for _, name := range sortedKeys(declared) {
		if v := declared[name]; !d.env.failedVars[name] {
			d.guard(Source{Name: v.header.Filename}, v.validate)
		}
	}
}

// declare reads one variable block, all but its value.
func (d *decoder) declare(declared map[string]*variable, src Source, block *hclsyntax.Block) {
	if len(block.Labels) != 1 {
		return // reported with the file's other blocks
	}
	name := block.Labels[0]
	first, twice := declared[name]
	switch {
	case twice:
		d.report.errorf(block.DefRange(), "Duplicate variable", "There is already a variable %q, at %s. The files of one command share their variables.",
			name, place(first.header))
		return
	case !hclsyntax.ValidIdentifier(name):
		d.report.errorf(block.LabelRanges[0], "Invalid name", "The name of a variable is a word of letters, digits, '_' and '-' that begins with a letter.")
		return
	case len(declared) >= maxDeclared:
		d.report.errorf(block.DefRange(), "Too many variables", "Use at most %d variables in one call.", maxDeclared)
		return
	}
	v := &variable{
		fields: openBody(d.env, d.env.constants(), src.Bytes, "variable", variableSchema, block.Body, block.DefRange()),
		name:   name, kind: cty.DynamicPseudoType,
	}
	declared[name] = v
	_ = v.text("description") // for people; it only has to be right
	if attr := v.attrs["type"]; attr != nil {
		kind, diags := typeexpr.Type(attr.Expr)
		if diags.HasErrors() {
			v.errorf("type", "Unknown type", "The types are string, number, bool, list(string), map(string) and the like, set(…) and object({ … }).")
			return
		}
		v.kind = kind
	}
}

// collect files the values of one input under the variables they are for.
func (d *decoder) collect(values map[string]given, declared map[string]*variable, input Input) {
	start := fileStart(input.Source)
	if input.Variable != "" {
		switch {
		case declared[input.Variable] != nil:
			values[input.Variable] = given{text: &input.Source, at: start}
		case !input.Optional:
			d.unknownVariable(input.Variable, start, declared)
		}
		return
	}
	file, diags := parse(input.Source)
	d.report.add(diags...)
	if diags.HasErrors() {
		return
	}
	attrs, diags := file.Body.JustAttributes()
	d.report.add(diags...)
	for _, name := range sortedKeys(attrs) {
		attr := attrs[name]
		if declared[name] == nil {
			d.unknownVariable(name, attr.NameRange, declared)
			continue
		}
		values[name] = given{expr: attr.Expr, at: attr.Expr.Range()}
	}
}

func (d *decoder) unknownVariable(name string, at hcl.Range, declared map[string]*variable) {
	d.report.errorf(at, "Unknown variable", "No file declares a variable %q.%s", name, suggest(name, sortedKeys(declared)))
}

// resolve returns the variable's value: the one given, or else the default.
func (v *variable) resolve(g given) (cty.Value, bool) {
	fallback, hasDefault := v.defaultValue()
	if !v.ok() {
		return cty.NilVal, false
	}
	switch {
	case g.text == nil && g.expr == nil && !hasDefault:
		v.errorAt("", v.header, "Missing value", "The variable %q has no default, and no value is given. Give one with --var %s=VALUE, in a file with --var-file FILE, or in the environment as ROTA_VAR_%s.",
			v.name, v.name, v.name)
		return cty.NilVal, false
	case g.text == nil && g.expr == nil:
		return fallback, true
	}
	kind := v.kind
	if kind == cty.DynamicPseudoType && !hasDefault {
		kind = cty.String
	} else if kind == cty.DynamicPseudoType && fallback.Type().IsPrimitiveType() {
		kind = fallback.Type()
	}
	value, ok := v.read(g, kind)
	if !ok {
		return cty.NilVal, false
	}
	return v.convert(value, kind, g.at)
}

// defaultValue reads the default; null is a default too.
func (v *variable) defaultValue() (cty.Value, bool) {
	attr := v.attrs["default"]
	if attr == nil {
		return cty.NilVal, false
	}
	value, ok := v.env.evaluate(attr.Expr, v.scope, nil)
	if !ok {
		v.fail("default")
		return cty.NilVal, true
	}
	converted, ok := v.convert(value, v.kind, attr.Expr.Range())
	if !ok {
		v.fail("default")
	}
	return converted, true
}

// read evaluates what was given.
func (v *variable) read(g given, kind cty.Type) (cty.Value, bool) {
	expr := g.expr
	if g.text != nil {
		if !utf8.Valid(g.text.Bytes) {
			v.report.errorf(g.at, invalidValue, "The value for the variable %q is no text in UTF-8.", v.name)
			return cty.NilVal, false
		}
		if kind == cty.String {
			return cty.StringVal(string(g.text.Bytes)), true
		}
		parsed, problem := parseExpression(*g.text)
		if problem != nil {
			v.report.add(problem)
			return cty.NilVal, false
		}
		expr = parsed
	}
	return v.env.evaluate(expr, v.env.constants(), nil)
}

// parseExpression reads a value as it would stand in a file.
func parseExpression(src Source) (hcl.Expression, *hcl.Diagnostic) {
	if problem := checkShape(src); problem != nil {
		return nil, problem
	}
	expr, diags := hclsyntax.ParseExpression(src.Bytes, src.Name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: invalidValue, Subject: diags[0].Subject,
			Detail: `This cannot be read. A value that is no string is written as in a job file, such as 5, true, ["a", "b"] or { key = "value" }.`,
		}
	}
	return expr, nil
}

// convert gives a value the variable's type.
func (v *variable) convert(value cty.Value, kind cty.Type, at hcl.Range) (converted cty.Value, ok bool) {
	defer func() {
		if fault := recover(); fault != nil {
			converted, ok = cty.NilVal, false
			v.env.recovered(fault)
		}
	}()
	if kind == cty.DynamicPseudoType {
		return value, true
	}
	if kind == cty.Number {
		value = (&metered{Expression: &hclsyntax.LiteralValueExpr{SrcRange: at}, meter: v.env.meter}).asNumber(value)
	}
	converted, err := convert.Convert(value, kind)
	if err != nil {
		v.report.errorf(at, wrongType, "The variable %q is %s, and this is %s: %s.", v.name, article(kind), typeName(value), err)
		return cty.NilVal, false
	}
	v.env.meter.weigh(converted, 1, at)
	return converted, true
}

func article(kind cty.Type) string { return "a " + kind.FriendlyName() }

// validate checks the variable's value as its validation blocks say.
func (v *variable) validate() {
	for _, block := range v.blocks {
		f := v.child(block, validationSchema)
		f.scope = &scope{ctx: v.env.root.ctx, only: v.name}
		if !f.ok() {
			continue
		}
		good, given := f.value("condition")
		message := f.text("error_message")
		switch {
		case !f.ok():
		case !given || good.Type() != cty.Bool:
			f.errorf("condition", wrongType, "A condition is true or false, and this is %s.", typeName(good))
		case good.False():
			v.env.failedVars[v.name] = true
			f.errorf("condition", "Invalid value for a variable", "%s: %s", fmt.Sprintf("var.%s", v.name), message)
		}
	}
}

// blocksOf returns the blocks of one type.
func blocksOf(body *hclsyntax.Body, kind string) []*hclsyntax.Block {
	var blocks []*hclsyntax.Block
	for _, b := range body.Blocks {
		if b.Type == kind {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
