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
	years := 2
	if testing.Short() || underRace {
		years = 1
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
		length := time.Duration(years) * 366 * day
		w.after(length + time.Second)
		stop()
		total := 0
		for i := range jobs {
			total += w.checkFires(&jobs[i], began, began.Add(fsm.Duration(length)))
		}
		if want := years * 365 * 6 * 4; total < want {
			t.Errorf("%d instants in %d years, want at least %d", total, years, want)
		}
	})
}
