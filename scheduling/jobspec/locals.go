package jobspec

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// localValues reads the locals blocks and evaluates them in the order in which
// they need each other.
func (d *decoder) localValues() {
	for _, file := range d.files {
		for _, block := range blocksOf(file.body, "locals") {
			d.guard(file.src, func() { d.declareLocals(block) })
		}
	}
	for _, name := range d.env.localNames() {
		attr := d.env.localBlocks[name]
		d.guard(Source{Name: attr.SrcRange.Filename}, func() { d.evaluateLocal(name, nil) })
	}
	d.env.publish()
}

func (d *decoder) declareLocals(block *hclsyntax.Block) {
	attrs, diags := block.Body.JustAttributes()
	d.report.add(diags...)
	for _, name := range sortedKeys(attrs) {
		attr := block.Body.Attributes[name]
		first, twice := d.env.localBlocks[name]
		switch {
		case twice:
			d.report.errorf(attr.NameRange, "Duplicate local value", "There is already a local value %q, at %s. The files of one command share them.",
				name, place(first.SrcRange))
		case len(d.env.localBlocks) >= maxDeclared:
			d.report.errorf(attr.NameRange, "Too many local values", "Use at most %d local values in one call.", maxDeclared)
			return
		default:
			d.env.localBlocks[name] = attr
		}
	}
}

// evaluateLocal evaluates a local value after those that it refers to. waiting
// are the names that need it.
func (d *decoder) evaluateLocal(name string, waiting []string) {
	attr := d.env.localBlocks[name]
	if _, done := d.env.locals[name]; done {
		return
	}
	if i := slices.Index(waiting, name); i >= 0 {
		d.reportCycle(append(waiting[i:], name))
		return
	}
	waiting = append(waiting, name)
	needs := map[string]cty.Value{}
	for _, need := range localsIn(attr.Expr) {
		if d.env.localBlocks[need] != nil {
			d.evaluateLocal(need, waiting)
			needs[need] = d.env.locals[need]
		}
	}
	if d.env.failedLocals[name] { // as part of a circle
		return
	}
	inner := &scope{ctx: d.env.root.ctx.NewChild()}
	inner.ctx.Variables = map[string]cty.Value{"local": cty.ObjectVal(needs)}
	v, ok := d.env.evaluate(attr.Expr, inner, nil)
	if !ok {
		d.failLocal(name)
		return
	}
	d.env.locals[name] = v
}

// failLocal gives a local value the place of one whose absence was reported.
func (d *decoder) failLocal(name string) {
	d.env.failedLocals[name] = true
	d.env.locals[name] = cty.DynamicVal
}

func (d *decoder) reportCycle(names []string) {
	attr := d.env.localBlocks[names[0]]
	d.report.errorf(attr.SrcRange, "Cycle of local values", "These need each other: %s.", "local."+strings.Join(names, " -> local."))
	for _, name := range names {
		d.failLocal(name)
	}
}

// localsIn returns the names of the local values that an expression refers to.
func localsIn(expr hclsyntax.Expression) []string {
	var names []string
	for _, t := range hclsyntax.Variables(expr) {
		if t.RootName() != "local" {
			continue
		}
		if name, ok := secondName(t); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
