package match

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rota-scheduler/rota/fsm"
)

var node = &fsm.Node{
	Name: "n1", Region: "cn-east", Zone: "a", OS: "linux", Arch: "amd64", Version: "v1.4.2-3-gabcdef",
	Labels: map[string]string{"disk": "ssd", "cuda": "12.4", "kernel": "6.8.0-31-generic", "empty": ""},
}

func TestHolds(t *testing.T) {
	for _, tt := range []struct {
		attribute, operator, value string
		want                       bool
	}{
		{"region", "", "cn-east", true},
		{"region", "=", "cn", false},
		{"zone", "!=", "b", true},
		{"name", "!=", "n1", false},
		{"os", "=", "linux", true},
		{"arch", "in", "arm64,amd64", true},
		{"arch", "in", "arm64", false},
		{"label.disk", "=", "ssd", true},
		{"label.disk", "regexp", "^(ssd|nvme)$", true},
		{"label.disk", "regexp", "s", true},
		{"label.disk", "regexp", "^s$", false},
		{"label.none", "=", "", true},
		{"label.empty", "=", "", true},
		{"label.none", "!=", "x", true},
		{"label.none", "regexp", ".", false},
		{"label.none", "version", ">= 0", false},
		{"label.disk", "version", ">= 0", false},
		{"label.cuda", "version", ">= 12, < 13", true},
		{"label.cuda", "version", ">= 12.5", false},
		{"label.cuda", "version", "~> 12.1", true},
		{"label.cuda", "version", "~> 12.4.0", true},
		{"label.cuda", "version", "~> 12.5", false},
		{"label.cuda", "version", "~> 11.9", false},
		{"label.cuda", "version", "12.4", true},
		{"label.cuda", "version", "!= 12.4.0.0", false},
		{"label.cuda", "version", "<= 12.4, > 12.3.9", true},
		{"label.kernel", "version", ">= 6.8", true},
		{"version", "version", "~> 1.4.2", true},
		{"version", "version", "> 1.4.2", false},
	} {
		c := &fsm.Constraint{Attribute: tt.attribute, Operator: tt.operator, Value: tt.value}
		if tt.operator == fsm.OpIn {
			c.Value, c.Values = "", strings.Split(tt.value, ",")
		}
		r, err := Compile(c)
		if err != nil {
			t.Errorf("%s: %v", c, err)
		} else if r.Holds(node) != tt.want {
			t.Errorf("%s: %v", r, !tt.want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range []fsm.Constraint{
		{Attribute: "zone", Operator: "regexp", Value: "("},
		{Attribute: "zone", Operator: "regexp", Value: "a{1001}"},
		{Attribute: "zone", Operator: "version", Value: ">= x"},
		{Attribute: "zone", Operator: "version", Value: ">= 1,"},
		{Attribute: "zone", Operator: "version", Value: "=> 1"},
		{Attribute: "zone", Operator: "version", Value: "~> 1"},
		{Attribute: "zone", Operator: "version", Value: "1.2.3.4.5.6.7.8.9"},
		{Attribute: "zone", Operator: "version", Value: "99999999999999999999"},
		{Attribute: "zone", Operator: "like", Value: "a"},
	} {
		if _, err := Compile(&c); !errors.Is(err, ErrBad) {
			t.Errorf("%s: %v", &c, err)
		}
	}
}

// Versions are ordered: of two, one is less or they are equal, whatever the
// missing numbers.
func TestVersionsAreOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		form := rapid.StringMatching(`v?[0-9]{1,3}(\.[0-9]{1,3}){0,3}(-rc1)?`)
		a, b := form.Draw(t, "a"), form.Draw(t, "b")
		holds := 0
		for _, op := range []string{"<", "=", ">"} {
			bounds, err := parseBounds(op + " " + b)
			if err != nil {
				t.Fatal(err)
			}
			if bounds.holds(a) {
				holds++
			}
		}
		if holds != 1 {
			t.Fatalf("%d of <, =, > hold between %s and %s", holds, a, b)
		}
		same, err := parseBounds(a + ".0")
		if err != nil || !same.holds(a) {
			t.Fatalf("%s is not %s.0: %v", a, a, err)
		}
	})
}

func FuzzBounds(f *testing.F) {
	f.Add(">= 1.2, < 2", "v1.5-rc1")
	f.Fuzz(func(_ *testing.T, text, v string) {
		if b, err := parseBounds(text); err == nil {
			b.holds(v)
		}
	})
}
