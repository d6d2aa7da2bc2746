package jobspec

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// The HCL library can expand dynamic blocks too, but hides what the expressions
// in them look like, on which the places in error messages and the references to
// a run depend.

const dynamicType = "dynamic"

var dynamicSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "for_each", Required: true}, {Name: "iterator"}, {Name: "labels"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "content"}},
}

// turnCost is what one turn of a dynamic block costs, beside its text.
const turnCost = 100

// expand puts what the dynamic blocks of a body make in their places.
func (f *fields) expand(schema *hcl.BodySchema, body *hclsyntax.Body) *hclsyntax.Body {
	if !slices.ContainsFunc(body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == dynamicType }) {
		return body
	}
	expanded := *body
	expanded.Blocks = make(hclsyntax.Blocks, 0, len(body.Blocks))
	for _, block := range body.Blocks {
		if block.Type != dynamicType {
			expanded.Blocks = append(expanded.Blocks, block)
			continue
		}
		blocks, ok := f.expandOne(schema, block)
		if !ok {
			f.fail("")
		}
		expanded.Blocks = append(expanded.Blocks, blocks...)
	}
	return &expanded
}

func (f *fields) expandOne(schema *hcl.BodySchema, block *hclsyntax.Block) (blocks hclsyntax.Blocks, ok bool) {
	if !f.checkDynamicType(schema, block) {
		return nil, false
	}
	d := openBody(f.env, f.scope, f.src, dynamicType, dynamicSchema, block.Body, block.DefRange())
	if !d.ok() {
		return nil, false
	}
	if len(d.blocks) != 1 {
		d.errorAt("", d.header, "Missing content", "A dynamic block has one content block, with what each of its blocks holds.")
		return nil, false
	}
	content, native := d.blocks[0].Body.(*hclsyntax.Body)
	name, named := d.iterator(block.Labels[0])
	each, given := d.value("for_each")
	if !native || !named || !d.ok() {
		return nil, false
	}
	if !given || !each.CanIterateElements() {
		d.errorf("for_each", wrongType, "for_each is a list or a map, and this is %s.", typeName(each))
		return nil, false
	}
	blocks, ok = d.turns(block, content, name, each)
	if f.scopes == nil {
		f.scopes = d.scopes
	} else {
		maps.Copy(f.scopes, d.scopes)
	}
	return blocks, ok
}

// turns makes a block for each element.
func (f *fields) turns(block *hclsyntax.Block, content *hclsyntax.Body, name string, each cty.Value) (blocks hclsyntax.Blocks, ok bool) {
	defer func() {
		if fault := recover(); fault != nil {
			blocks, ok = nil, false
			f.env.recovered(fault)
		}
	}()
	outside := f.scope
	defer func() { f.scope = outside }()
	f.scopes = map[*hclsyntax.Body]*scope{}
	for it := each.ElementIterator(); it.Next(); {
		f.env.meter.spend(turnCost+content.EndRange.End.Byte-content.SrcRange.Start.Byte, block.DefRange())
		key, value := it.Element()
		if each.Type().IsSetType() {
			key = value
		}
		f.scope = outside.with(name, key, value)
		made := *block
		made.Type, made.TypeRange = block.Labels[0], block.LabelRanges[0]
		made.Labels = f.texts("labels", true)
		made.LabelRanges = slices.Repeat([]hcl.Range{f.at("labels")}, len(made.Labels))
		body := *content
		made.Body = &body
		f.scopes[made.Body] = f.scope
		blocks = append(blocks, &made)
		if !f.ok() {
			return nil, false
		}
	}
	return blocks, true
}

// checkDynamicType checks which blocks a dynamic block makes.
func (f *fields) checkDynamicType(schema *hcl.BodySchema, block *hclsyntax.Block) bool {
	if len(block.Labels) != 1 {
		f.errorAt("", block.DefRange(), "Missing block type", `A dynamic block names the type of its blocks, as in: dynamic "schedule" {`)
		return false
	}
	var types []string
	for _, b := range schema.Blocks {
		if b.Type != dynamicType && !slices.Contains(declarations, b.Type) {
			types = append(types, b.Type)
		}
	}
	kind := block.Labels[0]
	switch {
	case slices.Contains(types, kind):
		return true
	case isNotYetName(f.kind, kind):
		f.fail("")
		f.report.add(notYet(`The block "`+kind+`"`, block.LabelRanges[0]))
	default:
		f.errorAt("", block.LabelRanges[0], "Unsupported block type", "A dynamic block cannot make blocks of type %q here.%s", kind, suggest(kind, types))
	}
	return false
}

// iterator returns the name that the elements have within the content.
func (f *fields) iterator(kind string) (string, bool) {
	attr := f.attrs["iterator"]
	if attr == nil {
		return kind, true
	}
	name := hcl.ExprAsKeyword(attr.Expr)
	if name == "" || slices.Contains(reservedNames, name) {
		f.errorf("iterator", invalidValue, "iterator is a name without quotes, and none of the names that have a meaning of their own.")
		return "", false
	}
	return name, true
}
