package jobspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// evaluate returns the value of an expression that refers to nothing. Only forms
// whose evaluation is linear in their length are taken: loops within loops would
// let a short file run for ever.
func evaluate(expr hcl.Expression) (cty.Value, hcl.Diagnostics) {
	node, ok := expr.(hclsyntax.Expression)
	if !ok {
		return cty.NilVal, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Unsupported syntax",
			Detail:   "Job files are written in HCL's native syntax.",
			Subject:  expr.Range().Ptr(),
		}}
	}
	if problem := findUnsupported(node); problem != nil {
		return cty.NilVal, hcl.Diagnostics{problem}
	}
	v, diags := expr.Value(nil)
	if !diags.HasErrors() && !v.IsWhollyKnown() {
		diags = diags.Append(&hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Unknown value",
			Detail:   "This expression has no value when the file is applied.",
			Subject:  expr.Range().Ptr(),
		})
	}
	return v, diags
}

// findUnsupported returns the first part of an expression that cannot be
// evaluated, or nil.
func findUnsupported(node hclsyntax.Node) *hcl.Diagnostic {
	var found *hcl.Diagnostic
	var divisors []hclsyntax.Expression
	hint := quotesHint
	switch node.(type) {
	case *hclsyntax.TemplateExpr, *hclsyntax.TemplateWrapExpr:
		hint = shellHint
	}
	// The walk itself reports nothing; its diagnostics are always empty.
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		if found == nil {
			found = refuse(n, hint)
		}
		if op, ok := n.(*hclsyntax.BinaryOpExpr); ok && (op.Op == hclsyntax.OpDivide || op.Op == hclsyntax.OpModulo) {
			divisors = append(divisors, op.RHS)
		}
		return nil
	})
	if found != nil {
		return found
	}
	return findZero(divisors)
}

// findZero refuses divisors that are zero, which HCL takes, and calls the result
// infinite.
func findZero(divisors []hclsyntax.Expression) *hcl.Diagnostic {
	for _, divisor := range divisors {
		v, diags := divisor.Value(nil)
		if !diags.HasErrors() && v.IsKnown() && !v.IsNull() && v.Type() == cty.Number && v.AsBigFloat().Sign() == 0 {
			return &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Division by zero",
				Detail:   "The divisor is zero.",
				Subject:  divisor.Range().Ptr(),
			}
		}
	}
	return nil
}

// refuse returns what is wrong with one node, its children left aside.
func refuse(node hclsyntax.Node, hint string) *hcl.Diagnostic {
	switch n := node.(type) {
	case *hclsyntax.LiteralValueExpr, *hclsyntax.TemplateExpr, *hclsyntax.TemplateWrapExpr,
		*hclsyntax.TupleConsExpr, *hclsyntax.ObjectConsExpr, *hclsyntax.ObjectConsKeyExpr,
		*hclsyntax.ParenthesesExpr, *hclsyntax.ConditionalExpr,
		*hclsyntax.BinaryOpExpr, *hclsyntax.UnaryOpExpr:
		return nil
	case *hclsyntax.ScopeTraversalExpr:
		return refuseReference(n, hint)
	case *hclsyntax.FunctionCallExpr:
		return notYet(fmt.Sprintf("A function call, such as %s(),", n.Name), n.NameRange)
	case *hclsyntax.ForExpr, *hclsyntax.TemplateJoinExpr:
		return notYet("A for expression", n.Range())
	}
	return notYet("An index or splat on an expression", node.Range())
}

// What the author of an unknown reference probably meant, outside of a text and
// inside of one. %[1]s is the reference's first word.
const (
	quotesHint = `To write a word, put it in quotes: "%[1]s".`
	shellHint  = "For a variable of the shell, write $%[1]s, or $${%[1]s}."
)

func refuseReference(n *hclsyntax.ScopeTraversalExpr, hint string) *hcl.Diagnostic {
	root := n.Traversal.RootName()
	switch {
	case slices.Contains(notYetRunTime, root):
		return notYet(fmt.Sprintf("The reference %s, whose value comes from the run,", spell(n.Traversal)), n.SrcRange)
	case slices.Contains(notYetApply, root):
		return notYet(fmt.Sprintf("The reference %s", spell(n.Traversal)), n.SrcRange)
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Unknown variable",
		Detail:   fmt.Sprintf("There is no variable named %q. "+hint, root),
		Subject:  n.SrcRange.Ptr(),
	}
}

// spell writes a reference as the file does, without its indexes.
func spell(t hcl.Traversal) string {
	var b strings.Builder
	for _, step := range t {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(s.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + s.Name)
		default:
			return b.String()
		}
	}
	return b.String()
}
