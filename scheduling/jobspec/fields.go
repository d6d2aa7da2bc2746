package jobspec

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// fields is the content of one block. Its methods read one attribute each; an
// attribute that is absent or null reads as zero, and so does one that is wrong,
// after it has been reported. It keeps where everything stands, so that
// validation can still point at it.
type fields struct {
	env    *env
	report *reporter
	scope  *scope
	scopes map[*hclsyntax.Body]*scope // of what dynamic blocks made
	src    []byte
	kind   string
	header hcl.Range
	refs   *runRefs // of a task; else nil
	attrs  hcl.Attributes
	blocks hcl.Blocks
	// failed names the attributes that were reported; "" is the block itself.
	// What is derived from them must not be reported again.
	failed map[string]bool
}

// openBody checks a body against a schema. kind is the block's type, or "" for a
// file. What is not built yet is reported and taken out first, so that HCL's own
// checks see only names that are unknown.
func openBody(e *env, s *scope, src []byte, kind string, schema *hcl.BodySchema, body *hclsyntax.Body, header hcl.Range) *fields {
	f := &fields{env: e, report: e.report, scope: s, src: src, kind: kind, header: header}
	content, diags := f.expand(schema, f.withoutNotYet(kind, body)).Content(schema)
	if diags.HasErrors() {
		f.fail("")
	}
	f.report.add(diags...)
	f.attrs, f.blocks = content.Attributes, content.Blocks
	return f
}

// withoutNotYet reports what is not built yet and returns the rest of the body,
// which is nearly always the body itself.
func (f *fields) withoutNotYet(kind string, body *hclsyntax.Body) *hclsyntax.Body {
	found := false
	for name, attr := range body.Attributes {
		if isNotYetName(kind, name) {
			found = true
			f.report.add(notYet(fmt.Sprintf("The attribute %q", name), attr.NameRange))
		}
	}
	for _, block := range body.Blocks {
		if isNotYetName(kind, block.Type) {
			found = true
			f.report.add(notYet(fmt.Sprintf("The block %q", block.Type), block.DefRange()))
		}
	}
	if !found {
		return body
	}
	f.fail("")
	rest := *body
	rest.Attributes = maps.Clone(body.Attributes)
	maps.DeleteFunc(rest.Attributes, func(name string, _ *hclsyntax.Attribute) bool { return isNotYetName(kind, name) })
	rest.Blocks = slices.DeleteFunc(slices.Clone(body.Blocks), func(b *hclsyntax.Block) bool { return isNotYetName(kind, b.Type) })
	return &rest
}

// child opens a block within the block.
func (f *fields) child(block *hcl.Block, schema *hcl.BodySchema) *fields {
	body, ok := block.Body.(*hclsyntax.Body)
	if !ok { // only HCL's JSON syntax has other bodies, and it is not read here
		body = &hclsyntax.Body{SrcRange: block.DefRange}
	}
	s := f.scopes[body]
	if s == nil {
		s = f.scope
	}
	return openBody(f.env, s, f.src, block.Type, schema, body, block.DefRange)
}

func (f *fields) has(name string) bool { return f.attrs[name] != nil }

func (f *fields) fail(name string) {
	if f.failed == nil {
		f.failed = make(map[string]bool)
	}
	f.failed[name] = true
}

// ok reports whether nothing of the block was reported so far.
func (f *fields) ok() bool { return len(f.failed) == 0 }

// at returns where an attribute's value stands, or the block's header when it
// has no such attribute.
func (f *fields) at(name string) hcl.Range {
	if attr := f.attrs[name]; attr != nil {
		return attr.Expr.Range()
	}
	return f.header
}

// element returns where an element of a list stands.
func (f *fields) element(name string, i int) hcl.Range {
	if attr := f.attrs[name]; attr != nil {
		if list, ok := attr.Expr.(*hclsyntax.TupleConsExpr); ok && i < len(list.Exprs) {
			return list.Exprs[i].Range()
		}
	}
	return f.at(name)
}

// inside returns where a part of an attribute's text stands, if the attribute is
// a plain literal that spells its value byte for byte.
func (f *fields) inside(name string, offset, length int) (hcl.Range, bool) {
	attr := f.attrs[name]
	if attr == nil {
		return hcl.Range{}, false
	}
	template, ok := attr.Expr.(*hclsyntax.TemplateExpr)
	if !ok || !template.IsStringLiteral() {
		return hcl.Range{}, false
	}
	literal := template.Parts[0].Range()
	value, diags := template.Value(nil)
	if diags.HasErrors() || !literal.CanSliceBytes(f.src) {
		return hcl.Range{}, false
	}
	raw := literal.SliceBytes(f.src)
	if string(raw) != value.AsString() || !isPlain(raw) || offset+length > len(raw) {
		return hcl.Range{}, false
	}
	return part(literal, offset, length), true
}

// part cuts a range out of one whose characters are one byte each, on one line.
func part(whole hcl.Range, offset, length int) hcl.Range {
	move := func(p hcl.Pos, n int) hcl.Pos {
		return hcl.Pos{Line: p.Line, Column: p.Column + n, Byte: p.Byte + n}
	}
	start := move(whole.Start, offset)
	return hcl.Range{Filename: whole.Filename, Start: start, End: move(start, length)}
}

// isPlain reports whether a text is printable ASCII.
func isPlain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// errorf reports an attribute, at its value.
func (f *fields) errorf(name, summary, format string, args ...any) {
	f.errorAt(name, f.at(name), summary, format, args...)
}

func (f *fields) errorAt(name string, at hcl.Range, summary, format string, args ...any) {
	f.fail(name)
	f.report.errorf(at, summary, format, args...)
}

// value evaluates an attribute. It returns false if it is absent, null or wrong.
func (f *fields) value(name string) (cty.Value, bool) {
	attr := f.attrs[name]
	if attr == nil {
		return cty.NilVal, false
	}
	var v cty.Value
	var ok bool
	if f.refs != nil && slices.Contains(runTexts, name) {
		v, ok = f.runValue(name, attr.Expr)
	} else {
		v, ok = f.env.evaluate(attr.Expr, f.scope, nil)
	}
	if !ok {
		f.fail(name)
		return cty.NilVal, false
	}
	return v, !v.IsNull()
}
