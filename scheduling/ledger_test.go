package scheduling

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rota-scheduler/rota/fsm"
)

// TestTheLedgerIsUpToDate: whatever happens to attempts, a snapshot with the ledger
// shows what one without it does.
func TestTheLedgerIsUpToDate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.register("n1", 1, 1000)
		w.register("n2", 1, 1000)
		queued := specOf("queued", fsm.Schedule{Every: fsm.Duration(1e9), Overlap: fsm.OverlapQueue})
		queued.Tasks[0].Weight = 7
		w.put(queued)
		s := specOf("a")
		s.Tasks[0].Shards, s.Tasks[0].Retry = &fsm.Shards{Count: 6}, fsm.Retry{Attempts: 9, Backoff: 3e9}
		w.put(s)
		w.startJob("a", "r")
		kept, at := newLedger(w.store), w.now()
		for range 40 {
			v := w.store.Read()
			shards := append(slices.Collect(v.Pending()), slices.Collect(v.Held())...)
			if len(shards) == 0 {
				return
			}
			sh := shards[rapid.IntRange(0, len(shards)-1).Draw(rt, "shard")]
			node := rapid.SampledFrom([]string{"n1", "n2"}).Draw(rt, "node")
			report := func(kind fsm.ReportKind, outcome string) {
				r := fsm.Report{AttemptRef: sh.Ref(), Kind: kind, Outcome: outcome, StartedAt: at, EndedAt: at}
				w.entry(fsm.OpReportAttempts, fsm.ReportAttempts{At: at, Node: sh.Current.Node, Incarnation: 1, Reports: []fsm.Report{r}})
			}
			switch rapid.IntRange(0, 8).Draw(rt, "event") {
			case 0:
				report(fsm.ReportStarted, "")
			case 1:
				report(fsm.ReportEnded, fsm.AttemptSucceeded)
			case 2:
				report(fsm.ReportEnded, fsm.AttemptFailed)
			case 3:
				report(fsm.ReportNever, "")
			case 4:
				at += 1e9
			case 5:
				at++ // what it runs behind, or asks back, is fixed later than by the armings
				w.entry(fsm.OpStartRun, fsm.StartRun{At: at, ID: fmt.Sprint("manual", at), Job: queued.Key()})
			case 6:
				cur := slices.Collect(v.Cursors(queued.Key()))[0]
				w.entry(fsm.OpDecideFires, fsm.DecideFires{At: at, Decisions: []fsm.FireDecision{{
					Job: queued.Key(), Version: cur.Version, Instant: cur.Next, Next: cur.Next + 1e9, Arm: &fsm.Placement{Node: node, Incarnation: 1},
				}}})
			default:
				w.entry(fsm.OpArmShards, fsm.ArmShards{At: at, Placements: []fsm.Placement{{AttemptRef: sh.Ref(), Node: node, Incarnation: 1}}})
			}
			shows := func(l *ledger) string {
				c := NewCluster(w.store.Read(), Facts{Ready: allReady, ledger: l}, at)
				text := ""
				for _, n := range c.nodes {
					text += fmt.Sprint(n.node.ID, n.busy, n.total, n.booked, " ")
				}
				return text
			}
			if got, want := shows(kept), shows(nil); got != want {
				rt.Fatalf("with the ledger %s, without %s", got, want)
			}
		}
	})
}
