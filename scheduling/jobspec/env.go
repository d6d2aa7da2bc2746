package jobspec

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// env is what all expressions of one call share.
type env struct {
	report *reporter
	meter  *meter
	root   *scope
	vars   map[string]cty.Value
	locals map[string]cty.Value
	// failedVars and failedLocals have no value, which was reported.
	failedVars, failedLocals map[string]bool
	// localBlocks are the declared local values, those without a value yet too.
	localBlocks map[string]*hclsyntax.Attribute
	secret      string // see runRefs
}

func newEnv(report *reporter, work int) *env {
	e := &env{
		report: report, meter: &meter{limit: work},
		vars: map[string]cty.Value{}, locals: map[string]cty.Value{},
		failedVars: map[string]bool{}, failedLocals: map[string]bool{},
		localBlocks: map[string]*hclsyntax.Attribute{},
	}
	e.root = &scope{ctx: &hcl.EvalContext{Functions: guardedFunctions()}}
	return e
}

// scope is what may be named at a place.
type scope struct {
	ctx *hcl.EvalContext
	// iterators are the names of the dynamic blocks around.
	iterators []string
	constant  bool   // no variables and no local values
	only      string // no variable but this one, and no local values
}

// binds reports whether a dynamic block around has that name.
func (s *scope) binds(name string) bool { return slices.Contains(s.iterators, name) }

// with returns the scope within one turn of a dynamic block.
func (s *scope) with(name string, key, value cty.Value) *scope {
	inner := *s
	inner.ctx = s.ctx.NewChild()
	inner.ctx.Variables = map[string]cty.Value{name: cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})}
	inner.iterators = append(slices.Clip(s.iterators), name)
	return &inner
}

// constants returns the scope of what refers to nothing but functions.
func (e *env) constants() *scope { return &scope{ctx: e.root.ctx, constant: true} }

// publish lets expressions refer to what is known so far.
func (e *env) publish() {
	e.root.ctx.Variables = map[string]cty.Value{"var": cty.ObjectVal(e.vars), "local": cty.ObjectVal(e.locals)}
}

func (e *env) varNames() []string {
	return slices.Sorted(maps.Keys(e.vars))
}

func (e *env) localNames() []string { return slices.Sorted(maps.Keys(e.localBlocks)) }

// evaluate returns the value of an expression. refs is nil where references to a
// run may not stand. It returns false after it has reported why there is none.
func (e *env) evaluate(expr hcl.Expression, s *scope, refs *runRefs) (v cty.Value, ok bool) {
	node, native := expr.(hclsyntax.Expression)
	if !native {
		e.report.errorf(expr.Range(), "Unsupported syntax", "Job files are written in HCL's native syntax.")
		return cty.NilVal, false
	}
	if isConstant(node) {
		v, diags := node.Value(nil)
		e.report.add(diags...)
		return v, !diags.HasErrors()
	}
	defer func() {
		if fault := recover(); fault != nil {
			v, ok = cty.NilVal, false
			e.recovered(fault)
		}
	}()
	p := &preparer{env: e, scope: s, hint: quotesHint, refs: refs}
	v, diags := p.made(p.expr(node, true)).Value(s.ctx)
	if !diags.HasErrors() && !v.IsWhollyKnown() {
		stop(expr.Range(), "Unknown value", "This expression has no value when the file is applied.")
	}
	return v, true
}

// recovered reports what ended an evaluation. A panic that is none of ours goes
// on, and makes the whole file unreadable.
func (e *env) recovered(fault any) {
	a, ours := fault.(*abort)
	if !ours {
		panic(fault)
	}
	for _, d := range a.diags {
		if d.Severity == hcl.DiagError {
			// The values behind an expression may be large, or secret.
			e.report.add(&hcl.Diagnostic{Severity: d.Severity, Summary: d.Summary, Detail: d.Detail, Subject: d.Subject})
			return
		}
	}
}
