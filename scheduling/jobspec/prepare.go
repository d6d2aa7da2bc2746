package jobspec

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// preparer checks the references of one expression and makes a copy of it whose
// parts are metered.
type preparer struct {
	env   *env
	scope *scope
	// bound are the names of the for expressions around.
	bound []string
	// hint is what the author of an unknown reference probably meant.
	hint string
	// refs collects the references to a run where they may stand; else it is nil.
	refs *runRefs
}

// isConstant reports whether an expression is literals alone, which need no meter:
// they are no larger than the file.
func isConstant(n hclsyntax.Expression) bool {
	switch n := n.(type) {
	case *hclsyntax.LiteralValueExpr:
		return true
	case *hclsyntax.TemplateExpr:
		return n.IsStringLiteral()
	case *hclsyntax.TupleConsExpr:
		return !slices.ContainsFunc(n.Exprs, func(e hclsyntax.Expression) bool { return !isConstant(e) })
	case *hclsyntax.ObjectConsExpr:
		return !slices.ContainsFunc(n.Items, func(i hclsyntax.ObjectConsItem) bool {
			return !isConstantKey(i.KeyExpr) || !isConstant(i.ValueExpr)
		})
	}
	return false
}

// isConstantKey also takes a bare word, which as a key is a string.
func isConstantKey(n hclsyntax.Expression) bool {
	key, ok := n.(*hclsyntax.ObjectConsKeyExpr)
	if !ok || key.ForceNonLiteral {
		return ok && isConstant(key.Wrapped)
	}
	_, bare := key.Wrapped.(*hclsyntax.ScopeTraversalExpr)
	return bare || isConstant(key.Wrapped)
}

// expr prepares one part. bare says that nothing is done with its value but to
// put it into a text, a list or a map, or to choose it.
func (p *preparer) expr(n hclsyntax.Expression, bare bool) hclsyntax.Expression {
	if isConstant(n) {
		return n
	}
	p.env.meter.spend(prepareCost, n.Range())
	switch n := n.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return p.reference(n, bare)
	case *hclsyntax.ParenthesesExpr:
		return &hclsyntax.ParenthesesExpr{Expression: p.expr(n.Expression, bare), SrcRange: n.SrcRange}
	case *hclsyntax.ConditionalExpr:
		c := *n
		c.Condition, c.TrueResult, c.FalseResult = p.expr(n.Condition, false), p.expr(n.TrueResult, bare), p.expr(n.FalseResult, bare)
		return p.part(&conditional{&c})
	case *hclsyntax.TemplateExpr, *hclsyntax.TemplateWrapExpr, *hclsyntax.TemplateJoinExpr:
		return p.template(n, bare)
	case *hclsyntax.TupleConsExpr, *hclsyntax.ObjectConsExpr, *hclsyntax.ObjectConsKeyExpr, *hclsyntax.ForExpr:
		return p.collection(n, bare)
	case *hclsyntax.BinaryOpExpr, *hclsyntax.UnaryOpExpr, *hclsyntax.FunctionCallExpr:
		return p.operation(n)
	default:
		return p.access(n)
	}
}

// part meters what takes a part of a value, made what makes a new one.
func (p *preparer) part(n hclsyntax.Expression) hclsyntax.Expression {
	return &metered{Expression: n, meter: p.env.meter}
}

func (p *preparer) made(n hclsyntax.Expression) hclsyntax.Expression {
	if m, ok := n.(*metered); ok && m.made > 0 {
		return n
	}
	return p.times(1, n)
}

// times meters what costs more than its size tells.
func (p *preparer) times(factor int, n hclsyntax.Expression) hclsyntax.Expression {
	return &metered{Expression: n, meter: p.env.meter, made: factor}
}

func (p *preparer) list(nodes []hclsyntax.Expression, bare bool) []hclsyntax.Expression {
	prepared := make([]hclsyntax.Expression, len(nodes))
	for i, n := range nodes {
		prepared[i] = p.expr(n, bare)
	}
	return prepared
}

func (p *preparer) template(n hclsyntax.Expression, bare bool) hclsyntax.Expression {
	outside := p.hint
	defer func() { p.hint = outside }()
	p.hint = shellHint
	switch n := n.(type) {
	case *hclsyntax.TemplateWrapExpr:
		return &hclsyntax.TemplateWrapExpr{Wrapped: p.expr(n.Wrapped, bare), SrcRange: n.SrcRange}
	case *hclsyntax.TemplateJoinExpr:
		return p.made(&hclsyntax.TemplateJoinExpr{Tuple: p.expr(n.Tuple, bare)})
	case *hclsyntax.TemplateExpr:
		return p.made(&hclsyntax.TemplateExpr{Parts: p.list(n.Parts, bare), SrcRange: n.SrcRange})
	}
	return n
}

func (p *preparer) collection(n hclsyntax.Expression, bare bool) hclsyntax.Expression {
	switch n := n.(type) {
	case *hclsyntax.TupleConsExpr:
		c := *n
		c.Exprs = p.list(n.Exprs, bare)
		return p.made(&c)
	case *hclsyntax.ObjectConsExpr:
		c := *n
		c.Items = make([]hclsyntax.ObjectConsItem, len(n.Items))
		for i, item := range n.Items {
			c.Items[i] = hclsyntax.ObjectConsItem{KeyExpr: p.expr(item.KeyExpr, false), ValueExpr: p.expr(item.ValueExpr, bare)}
		}
		return p.made(&c)
	case *hclsyntax.ObjectConsKeyExpr:
		if _, word := n.Wrapped.(*hclsyntax.ScopeTraversalExpr); word && !n.ForceNonLiteral {
			return n
		}
		return &hclsyntax.ObjectConsKeyExpr{Wrapped: p.expr(n.Wrapped, false), ForceNonLiteral: n.ForceNonLiteral}
	case *hclsyntax.ForExpr:
		return p.loop(n, bare)
	}
	return n
}

func (p *preparer) loop(n *hclsyntax.ForExpr, bare bool) hclsyntax.Expression {
	c := *n
	c.CollExpr = p.expr(n.CollExpr, false)
	outside := p.bound
	defer func() { p.bound = outside }()
	p.bound = append(slices.Clip(p.bound), n.KeyVar, n.ValVar)
	for _, name := range []string{n.KeyVar, n.ValVar} {
		if slices.Contains(reservedNames, name) {
			stop(n.OpenRange, "Reserved name", "A for expression cannot name its variable %q, which has a meaning of its own. Use another name.", name)
		}
	}
	if n.KeyExpr != nil {
		c.KeyExpr = p.expr(n.KeyExpr, false)
	}
	// Each turn costs something, whatever it evaluates.
	if n.CondExpr != nil {
		c.CondExpr = p.part(p.expr(n.CondExpr, false))
	}
	c.ValExpr = p.part(p.expr(n.ValExpr, bare))
	return p.made(&c)
}

func (p *preparer) operation(n hclsyntax.Expression) hclsyntax.Expression {
	switch n := n.(type) {
	case *hclsyntax.BinaryOpExpr:
		c := *n
		types := n.Op.Impl.Params()
		left, right := p.operand(n.LHS, types[0].Type, 1), p.operand(n.RHS, types[1].Type, 1)
		right.divisor = n.Op == hclsyntax.OpDivide || n.Op == hclsyntax.OpModulo
		c.LHS, c.RHS = left, right
		return p.made(&c)
	case *hclsyntax.UnaryOpExpr:
		c := *n
		c.Val = p.operand(n.Val, n.Op.Impl.Params()[0].Type, 1)
		return p.made(&c)
	case *hclsyntax.FunctionCallExpr:
		return p.call(n)
	}
	return n
}

// operand prepares what a function or an operator takes, which looks at all of it.
func (p *preparer) operand(n hclsyntax.Expression, want cty.Type, factor int) *metered {
	return &metered{Expression: p.expr(n, false), meter: p.env.meter, made: factor, number: want == cty.Number}
}

func (p *preparer) call(n *hclsyntax.FunctionCallExpr) hclsyntax.Expression {
	f, known := functions[n.Name]
	if !known {
		stop(n.NameRange, "Unknown function", "There is no function named %q.%s", n.Name, suggest(n.Name, functionNames()))
	}
	c := *n
	c.Args = make([]hclsyntax.Expression, len(n.Args))
	params := f.function.Params()
	for i, arg := range n.Args {
		want := cty.DynamicPseudoType
		if i < len(params) {
			want = params[i].Type
		} else if rest := f.function.VarParam(); rest != nil {
			want = rest.Type
		}
		if n.ExpandFinal && i == len(n.Args)-1 {
			want = cty.DynamicPseudoType
		}
		c.Args[i] = p.operand(arg, want, callFactor)
	}
	return p.made(&c)
}

// access prepares an index, an attribute or a splat of a value.
func (p *preparer) access(n hclsyntax.Expression) hclsyntax.Expression {
	switch n := n.(type) {
	case *hclsyntax.AnonSymbolExpr:
		return n
	case *hclsyntax.RelativeTraversalExpr:
		c := *n
		checkKeys(n.Traversal)
		c.Source = p.expr(n.Source, false)
		return p.part(&c)
	case *hclsyntax.IndexExpr:
		c := *n
		c.Collection = p.expr(n.Collection, false)
		c.Key = &metered{Expression: p.expr(n.Key, false), meter: p.env.meter, key: true}
		return p.part(&c)
	case *hclsyntax.SplatExpr:
		c := *n
		c.Source, c.Each = p.expr(n.Source, false), p.expr(n.Each, false)
		return p.times(splatFactor, &c)
	}
	stop(n.Range(), "Unsupported syntax", "Job files do not have this form of expression.")
	return nil
}

// What the author of an unknown reference probably meant, outside of a text and
// inside of one. %[1]s is the reference's first word.
const (
	quotesHint = `To write a word, put it in quotes: "%[1]s".`
	shellHint  = "For a variable of the shell, write $%[1]s, or $${%[1]s}."
)

// reservedNames begin references, and cannot be bound to other things.
var reservedNames = append([]string{"var", "local"}, runRoots...)

// reference checks that what is referred to exists.
func (p *preparer) reference(n *hclsyntax.ScopeTraversalExpr, bare bool) hclsyntax.Expression {
	checkKeys(n.Traversal)
	root := n.Traversal.RootName()
	switch {
	case slices.Contains(p.bound, root), p.scope.binds(root):
		return p.part(n)
	case root == "var":
		p.checkNamed(n, p.env.varNames(), p.env.failedVars, "variable", `variable "%s" {}`)
		return p.part(n)
	case root == "local":
		p.checkNamed(n, p.env.localNames(), p.env.failedLocals, "local value", "locals { %s = … }")
		return p.part(n)
	case slices.Contains(runRoots, root):
		return p.runReference(n, bare)
	case root == "each":
		stop(n.SrcRange, "Unknown variable", `There is no "each" here. In the content of a dynamic block, the name of the block has the key and the value: dynamic "task" has task.key and task.value.`)
	}
	stop(n.SrcRange, "Unknown variable", "There is no variable named %q. "+fmt.Sprintf(p.hint, root), root)
	return nil
}

// checkNamed checks a reference to a variable or a local value.
func (p *preparer) checkNamed(n *hclsyntax.ScopeTraversalExpr, names []string, failed map[string]bool, kind, form string) {
	root := n.Traversal.RootName()
	if p.scope.constant {
		stop(n.SrcRange, "Reference not allowed", "A value given here cannot refer to others. Use a locals block for what follows from variables.")
	}
	name, ok := secondName(n.Traversal)
	if !ok {
		stop(n.SrcRange, "Incomplete reference", "A name follows %s, as in %s.name.", root, root)
	}
	if p.scope.only != "" && name != p.scope.only {
		stop(n.SrcRange, "Reference not allowed", "The condition of a validation block is about its own variable, var.%s.", p.scope.only)
	}
	if failed[name] {
		panic(&abort{}) // what is wrong with it was reported
	}
	if !slices.Contains(names, name) {
		stop(n.SrcRange, "Unknown "+kind, "There is no %s named %q. Declare it with: "+form+".%s", kind, name, name, suggest(name, names))
	}
}

// checkKeys refuses keys that are long: a list takes a text for a number.
func checkKeys(t hcl.Traversal) {
	for _, step := range t {
		if index, ok := step.(hcl.TraverseIndex); ok {
			checkKey(index.Key, index.SrcRange)
		}
	}
}

// secondName returns "x" of var.x and var["x"].
func secondName(t hcl.Traversal) (string, bool) {
	if len(t) < 2 {
		return "", false
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String {
			return step.Key.AsString(), true
		}
	}
	return "", false
}
