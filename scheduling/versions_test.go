package scheduling

import (
	"testing"

	"github.com/rota-scheduler/rota/fsm"
)

// A job that is deleted and applied again counts its versions anew: its rules are
// not those of the one before.
func TestRulesOfAJobThatIsAppliedAnew(t *testing.T) {
	bubble(t, func(w *world) {
		book := newRuleBook()
		for _, region := range []string{"east", "west"} {
			s := specOf("a")
			s.Constraints = []fsm.Constraint{{Attribute: "region", Value: region}}
			w.put(s)
			for range 2 {
				rules := book.of(w.store.Read(), s.Key(), 1, "main")
				if got := rules.constraints[0].String(); got != "region = "+region {
					t.Errorf("%s, want region = %s", got, region)
				}
			}
			w.apply(fsm.OpDeleteJob, fsm.DeleteJob{At: w.now(), Job: s.Key()})
		}
	})
}

// Two versions of a job whose runs wait at the same time may ask for different
// nodes and spread over different attributes.
func TestVersionsSpreadByTheirOwnRules(t *testing.T) {
	c := emptyCluster(nil, noon)
	for _, n := range []*fsm.Node{
		{ID: "n1", Labels: map[string]string{"disk": "ssd"}},
		{ID: "n2", Zone: "a"}, {ID: "n3", Zone: "a"}, {ID: "n4", Zone: "b"},
	} {
		n.Capacity = 100
		c.add(n)
	}
	rules := func(constraints ...fsm.Constraint) *Rules {
		s := specOf("a")
		s.Constraints = constraints
		s.Spreads = []fsm.Spread{{Attribute: "zone", Weight: 100}}
		return compileRules(&s, &s.Tasks[0])
	}
	older, newer := rules(fsm.Constraint{Attribute: "label.disk", Value: "ssd"}), rules()
	place := func(r *Rules) string {
		t.Helper()
		p := c.Place(&Request{Ref: fsm.AttemptRef{Task: "main"}, Job: key("a"), Rules: r, Weight: 1, Start: noon})
		if p == nil {
			t.Fatal("no place")
		}
		return p.Node
	}
	if n := place(older); n != "n1" {
		t.Errorf("the older version went to %s", n)
	}
	zones := map[string]int{}
	for range 4 {
		zones[c.byID[place(newer)].node.Zone]++
	}
	if zones["a"] != 2 || zones["b"] != 2 {
		t.Errorf("the newer version went to zones %v", zones)
	}
}
