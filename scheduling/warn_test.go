package scheduling

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
)

// TestWarningsOfPools: a lower limit names what it holds up; what comes with it, or is
// no lower than before, is no news.
func TestWarningsOfPools(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		w.open("n1")
		w.apply(fsm.OpApplyFile, fsm.ApplyFile{Pools: []fsm.PutPool{{Name: "db", Limit: 5}}})
		defer w.lead(w.leader().place, w.beating("n1"))()
		for weight, name := range []string{"", "a", "b", "c"} {
			if weight > 0 {
				s := specOf(name)
				s.Tasks[0].Pools = []fsm.PoolUse{{Name: "db", Weight: weight}}
				w.put(s)
			}
		}
		w.startJob("b", "b-1")
		w.startJob("c", "c-1")
		w.after(time.Second)
		changed := specOf("c")
		warn := func(limit int, changes bool) []string {
			return Warnings(w.store.Read(), []fsm.JobSpec{changed}, []fsm.PoolResult{{Name: "db", Limit: limit, Changed: changes}})
		}
		if got := warn(5, true); got != nil {
			t.Errorf("of a limit that is enough: %q", got)
		}
		if got := warn(1, false); got != nil {
			t.Errorf("of a limit that is as it was: %q", got)
		}
		want := []string{
			"pool db: 5 of it are in use, and its limit is 1 now; what runs goes on, and nothing more of it starts until less is in use",
			`job b, task "main": it takes 2 of pool db, whose limit is 1 now; it would wait until that is raised, or the job changed`,
		}
		if diff := cmp.Diff(want, warn(1, true)); diff != "" {
			t.Errorf("of a limit that is too low (-want +got):\n%s", diff)
		}
	})
}

// TestWarningsOfNodes are bounded, and count the rest.
func TestWarningsOfNodes(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		var specs []fsm.JobSpec
		for i := range maxWarnings + 3 {
			s := specOf(fmt.Sprintf("j%02d", i))
			s.Tasks[0].Weight = 101
			specs = append(specs, s)
		}
		got := Warnings(w.store.Read(), specs, nil)
		if len(got) != maxWarnings+1 || got[maxWarnings] != "and 3 more" || !strings.Contains(got[0], "capacity of 100") {
			t.Errorf("%d warnings: %q", len(got), got)
		}
	})
}
