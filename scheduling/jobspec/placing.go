package jobspec

import (
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/rota-scheduler/rota/fsm"
)

var constraintSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "attribute", Required: true}, {Name: "operator"}, {Name: "value"}, {Name: "values"}},
}

var affinitySchema = &hcl.BodySchema{
	Attributes: append(slices.Clip(constraintSchema.Attributes), hcl.AttributeSchema{Name: "weight"}),
}

var spreadSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "attribute", Required: true}, {Name: "weight"}},
}

// placingBlocks are the blocks of a job or a task about the nodes that take its
// work. They have no names: validation counts them.
type placingBlocks map[string]*fields

// decodePlacing reads one of the blocks, and says whether it is one.
func (f *fields) decodePlacing(block *hcl.Block, p *fsm.Placing, at placingBlocks) bool {
	switch block.Type {
	case "constraint":
		b := f.child(block, constraintSchema)
		at[fmt.Sprintf("constraint[%d]", len(p.Constraints))] = b
		p.Constraints = append(p.Constraints, b.constraint())
	case "affinity":
		b := f.child(block, affinitySchema)
		at[fmt.Sprintf("affinity[%d]", len(p.Affinities))] = b
		p.Affinities = append(p.Affinities, fsm.Affinity{Constraint: b.constraint(), Weight: b.points(-fsm.MaxPreference)})
	case "spread":
		b := f.child(block, spreadSchema)
		at[fmt.Sprintf("spread[%d]", len(p.Spreads))] = b
		p.Spreads = append(p.Spreads, fsm.Spread{Attribute: b.text("attribute"), Weight: b.points(1)})
		if b.failed[""] { // the attribute may be among what HCL refused
			b.fail("attribute")
		}
	default:
		return false
	}
	return true
}

func (f *fields) constraint() fsm.Constraint {
	c := fsm.Constraint{
		Attribute: f.text("attribute"),
		Operator:  f.word("operator", fsm.OpEqual, fsm.OpNotEqual, fsm.OpIn, fsm.OpRegexp, fsm.OpVersion),
		Values:    f.texts("values", true),
	}
	if value := f.literal("value"); value != nil {
		c.Value = *value
	}
	if f.failed[""] { // the attribute may be among what HCL refused
		f.fail("attribute")
	}
	for _, name := range []string{"", "operator", "value", "values"} {
		if f.failed[name] { // what the others should be is then unknown
			f.fail("value")
			f.fail("values")
		}
	}
	if !f.has("value") && !f.has("values") && f.ok() {
		f.errorAt("", f.header, "Missing value", `A constraint compares its attribute with something: write value = "...", or values = [...] with the operator "in".`)
		f.fail("value")
		f.fail("values")
	}
	return c
}

// points reads a weight of a preference: not 0, from low to the limit.
func (f *fields) points(low int) int {
	n, given := f.between("weight", int64(low), fsm.MaxPreference)
	if given && n == 0 {
		f.errorf("weight", invalidValue, "weight 0 would prefer nothing. Leave the block out.")
	}
	return int(n)
}

// between reads a whole number within bounds, and tells one that was given.
func (f *fields) between(name string, low, high int64) (n int64, given bool) {
	v, ok := f.value(name)
	if !ok {
		return 0, false
	}
	if v.Type() != cty.Number {
		f.errorf(name, wrongType, "%s is a number, and this is %s.", name, typeName(v))
		return 0, false
	}
	n, accuracy := v.AsBigFloat().Int64()
	if accuracy != big.Exact || n < low || n > high {
		f.errorf(name, invalidValue, "%s is a whole number from %d to %d.", name, low, high)
		return 0, false
	}
	return n, true
}

// priority reads a number of which 0 is one; nil means that there is none.
func (f *fields) priority() *int {
	n, given := f.between("priority", 0, fsm.MaxPriority)
	if !given {
		return nil
	}
	return new(int(n))
}

// poolUses reads pool = "db", or pools = { db = 2 }.
func (f *taskBlock) poolUses() []fsm.PoolUse {
	if f.has("pool") && f.has("pools") {
		f.errorf("pools", invalidValue, "A task has pool or pools: several pools stand in pools.")
		return nil
	}
	if name, given := f.givenText("pool"); given {
		return []fsm.PoolUse{{Name: name, Weight: 1}}
	}
	v, ok := f.value("pools")
	if !ok {
		return nil
	}
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		f.errorf("pools", wrongType, `pools is a map of numbers, such as { db = 2 }, and this is %s.`, typeName(v))
		return nil
	}
	weights := v.AsValueMap()
	var uses []fsm.PoolUse
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		w := weights[name]
		if w.IsNull() || w.Type() != cty.Number {
			f.errorAt("pools", f.item("pools", name), wrongType, "What a task takes of a pool is a number, and this is %s.", typeName(w))
			return nil
		}
		n, accuracy := w.AsBigFloat().Int64()
		if accuracy != big.Exact || n < 1 || n > fsm.MaxPoolLimit {
			f.errorAt("pools", f.item("pools", name), invalidValue, "What a task takes of a pool is a whole number from 1 to %d.", fsm.MaxPoolLimit)
			return nil
		}
		uses = append(uses, fsm.PoolUse{Name: name, Weight: int(n)})
	}
	return uses
}

// poolPlace returns where a task names a pool.
func (f *taskBlock) poolPlace(name string) hcl.Range {
	if f.has("pool") {
		return f.at("pool")
	}
	return f.item("pools", name)
}
