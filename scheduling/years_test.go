package scheduling

import (
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// TestTwoYearsOfDaylightSaving runs the firing loop through two whole years, the
// changes of the clocks of six zones included: fixed and wildcard schedules,
// every instant decided once and in order.
func TestTwoYearsOfDaylightSaving(t *testing.T) {
	length, least := 2*366*day, 17_000
	if testing.Short() || underRace {
		length, least = 120*day, 2_800 // the northern spring and the southern autumn
	}
	bubble(t, func(w *world) {
		defer w.nodes()()
		var jobs []fsm.JobSpec
		for _, zone := range []string{
			"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "America/Havana", "Africa/Cairo",
		} {
			short := zone[len(zone)-4:]
			for name, expr := range map[string]string{"fixed-": "30 2 * * *", "midnight-": "0 0 * * *", "wild-": "15 */12 * * *"} {
				spec := specOf(name+short, fsm.Schedule{Cron: expr, Timezone: zone, Overlap: fsm.OverlapAllow})
				spec.History = fsm.History{Runs: 1000, Age: fsm.Duration(3 * 365 * day)}
				jobs = append(jobs, spec)
			}
		}
		w.put(jobs...)
		began := w.now()
		stop := w.firing()
		w.after(length + time.Second)
		stop()
		total := 0
		for i := range jobs {
			total += w.checkFires(&jobs[i], began, began.Add(fsm.Duration(length)))
		}
		if total < least {
			t.Errorf("only %d instants, want at least %d", total, least)
		}
	})
}
