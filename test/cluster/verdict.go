package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// maxShown bounds the violations that a failed test shows in full.
const maxShown = 10

// Percentile returns by how much the given share (0 to 1) of the first starts
// was late at most; 0 if there was none.
func (v *Verdict) Percentile(share float64) time.Duration {
	if len(v.Late) == 0 {
		return 0
	}
	return v.Late[min(len(v.Late)-1, int(share*float64(len(v.Late))))]
}

// String sums the verdict up in a line.
func (v *Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d due, %d ran", v.Due, v.Ran)
	for _, reason := range slices.Sorted(maps.Keys(v.Skipped)) {
		fmt.Fprintf(&b, ", %d skipped (%s)", v.Skipped[reason], reason)
	}
	if len(v.Late) > 0 {
		fmt.Fprintf(&b, "; late: least %s, p50 %s, p99 %s, most %s",
			v.Late[0], v.Percentile(0.5), v.Percentile(0.99), v.Late[len(v.Late)-1])
	}
	fmt.Fprintf(&b, "; %d violations", len(v.Violations))
	return b.String()
}

// Judge fails the test for each violation, and tells the story of the first
// ones.
func (v *Verdict) Judge(t testing.TB) {
	t.Helper()
	kinds := map[string]int{}
	for _, x := range v.Violations {
		kinds[x.Kind]++
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Errorf("%d × %s", kinds[kind], kind)
	}
	for i, x := range v.Violations {
		if i == maxShown {
			t.Logf("and %d violations more", len(v.Violations)-maxShown)
			break
		}
		t.Log(x)
	}
}
