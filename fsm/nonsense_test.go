package fsm

import "strings"

// deliver records tries to deliver some of the notifications: most succeed.
func (a *author) deliver(v *View) (Opcode, any) {
	cmd := RecordDeliveries{At: a.now}
	for n := range v.DueNotifications() {
		d := Delivery{Seq: n.Seq, Try: n.Tries + 1}
		switch a.rng.IntN(6) {
		case 0:
			d.Error, d.Next = "refused", a.now+second
		case 1:
			d.Error = "refused for good"
		case 2:
			d.Try-- // told before
		case 3:
			cmd.Deliveries = append(cmd.Deliveries, d) // told twice
		}
		if cmd.Deliveries = append(cmd.Deliveries, d); len(cmd.Deliveries) > 20 {
			break
		}
	}
	return OpRecordDeliveries, cmd
}

// nonsense is a command of legal bytes and absurd content.
func (a *author) nonsense() (Opcode, any) {
	odd := []string{"", "\x00", "forbid\x00", "n1", "m1", "a", strings.Repeat("long", 100)}
	text := func() string { return odd[a.rng.IntN(len(odd))] }
	number := func() int { return []int{-1 << 62, -1, 0, 1, 1 << 40, 1<<63 - 1}[a.rng.IntN(6)] }
	k := JobKey{text(), text()}
	ref := AttemptRef{text(), text(), number(), number()}
	at := Time(number())
	switch a.rng.IntN(17) {
	case 15:
		return OpApplyFile, ApplyFile{[]PutPool{{text(), number()}, {}}, PutJobs{At: at}}
	case 13:
		return OpRecordDeliveries, RecordDeliveries{at, []Delivery{{uint64(number()), number(), text(), Time(number())}, {}}}
	case 14:
		return OpNoteSlowRuns, NoteSlowRuns{at, []string{text(), ""}}
	case 11:
		return OpTimeoutRuns, TimeoutRuns{at, []string{text(), ""}}
	case 12:
		return OpRetryRun, RetryRun{at, text(), number()}
	case 0:
		return OpDecideFires, DecideFires{at, []FireDecision{{Job: k, Version: uint64(number()), Schedule: number(), Instant: Time(number()), Count: number(), Arm: &Placement{}}}}
	case 1:
		return OpArmShards, ArmShards{at, []Placement{{AttemptRef: ref, Node: text()}, {}}}
	case 2:
		return OpReportAttempts, ReportAttempts{at, text(), uint64(a.rng.Int()), []Report{{AttemptRef: ref, Kind: ReportEnded}, {}}}
	case 3:
		return OpDisplaceShards, DisplaceShards{at, DisplaceKind(text()), []AttemptRef{ref, {}}, text()}
	case 4:
		return OpStartRun, StartRun{At: at, ID: text(), Job: k}
	case 5:
		return OpCancelRun, CancelRun{at, text()}
	case 6:
		return OpDeleteJob, DeleteJob{at, k}
	case 7:
		return OpSetPaused, SetPaused{at, k, true}
	case 8:
		return OpPruneHistory, PruneHistory{at, []JobKey{k, {}}}
	case 9:
		return OpReplaceRuns, ReplaceRuns{at, text()}
	case 10:
		return OpRegisterNode, RegisterNode{at, Node{ID: text(), Name: text(), Capacity: number()}}
	}
	return OpPutJobs, PutJobs{at, []PutJob{{Spec: JobSpec{Namespace: text(), Name: text(), Tasks: []Task{{}}, Schedules: make([]Schedule, 3)}, Next: []Time{at}}}}
}
