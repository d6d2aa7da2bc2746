package bench

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/cmd/rota/agent/raftnode"
	"github.com/rota-scheduler/rota/fsm"
)

const (
	weekSecond  = fsm.Time(time.Second)
	weekHorizon = 5500 * fsm.Time(time.Millisecond)
	weekNodes   = 3
	// perEntry is how many decisions or reports share an entry of the log.
	perEntry = 25
)

// week is a cluster's state and log under load, with one node of Raft and no clock:
// what leader and nodes would propose is made up, second by second.
type week struct {
	t         *testing.T
	dir       string
	node      *raftnode.Node
	store     *fsm.Store
	random    *rand.Rand
	specs     []fsm.JobSpec
	period    map[fsm.JobKey]fsm.Time
	begin     fsm.Time
	now       fsm.Time
	paused    fsm.JobKey
	decided   int
	ended     int
	answers   int
	refused   int
	revisions int
	prune     int64 // every so many seconds
}

// newWeek holds jobs that run every second or every minute, a hundred runs a
// second together. The short form has fewer, and keeps little of each.
func newWeek(t *testing.T, short bool) *week {
	w := &week{t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(1, 2)), period: map[fsm.JobKey]fsm.Time{}}
	w.begin = fsm.At(time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC))
	w.now = w.begin
	w.store = fsm.NewStore(func(err error) { t.Error(err) })
	_, transport := raft.NewInmemTransport("week")
	cfg := raftnode.Config{
		ID: "week", DataDir: w.dir, Transport: transport, FSM: w.store, Logger: slog.New(slog.DiscardHandler),
		OnFatal: func(err error) { t.Error(err) }, StallTimeout: time.Minute,
		SnapshotInterval: 50 * time.Millisecond, // of real time: the number of entries makes one due
	}
	if short {
		cfg.SnapshotThreshold, cfg.TrailingLogs = 64, 128
	}
	node, err := raftnode.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.node = node
	t.Cleanup(func() {
		if err := node.Shutdown(context.Background()); err != nil { // the test's own context has ended by then
			t.Error(err)
		}
	})
	if err := node.Raft().BootstrapCluster(raft.Configuration{Servers: []raft.Server{{ID: "week", Address: "week"}}}).Error(); err != nil {
		t.Fatal(err)
	}
	<-node.Terms()
	for i := range weekNodes {
		w.apply(fsm.OpRegisterNode, fsm.RegisterNode{At: w.now, Node: fsm.Node{ID: nodeID(i), Name: nodeID(i), Incarnation: 1, Capacity: 100_000}})
	}
	w.putJobs(short)
	return w
}

func nodeID(i int) string { return fmt.Sprint("n", i) }

func (w *week) putJobs(short bool) {
	task := fsm.Task{Name: "t", Driver: fsm.DriverExec, Command: "/usr/bin/report", Args: []string{"--all"}, Retry: fsm.Retry{Attempts: 2, Backoff: fsm.Duration(2 * time.Second)}}
	second := fsm.Schedule{Cron: "* * * * * *", Overlap: fsm.OverlapAllow}
	everySecond, everyMinute, minutes := 94, 360, 60*weekSecond
	w.prune = 60
	if short {
		everySecond, everyMinute, minutes, w.prune = 30, 50, 10*weekSecond, 10
	}
	w.specs = specs(everySecond, "second", second, task)
	for i := range 6 { // some are graphs
		after := task
		after.Name, after.DependsOn = "u", []string{"t"}
		w.specs[i].Tasks = append(w.specs[i].Tasks, after)
	}
	minute := specs(everyMinute, "minute", fsm.Schedule{Cron: "* * * * *", Jitter: fsm.Duration(time.Minute)}, task)
	w.specs = append(w.specs, minute...)
	for i := range w.specs {
		spec := &w.specs[i]
		often := spec.Schedules[0].Jitter == 0
		w.period[spec.Key()] = minutes
		switch {
		case often:
			w.period[spec.Key()] = weekSecond
			if short {
				spec.History.Runs = 2
			}
		case short:
			spec.History.Age = fsm.Duration(25 * time.Second)
		default:
			spec.History.Age = fsm.Duration(30 * time.Minute)
		}
		w.put(spec)
	}
}

// put applies a job, due first within its period.
func (w *week) put(spec *fsm.JobSpec) {
	period := w.period[spec.Key()]
	next := w.now + weekSecond
	if period > weekSecond {
		next += fsm.Time(w.random.Int64N(int64(period)))
	}
	w.apply(fsm.OpPutJobs, fsm.PutJobs{At: w.now, Jobs: []fsm.PutJob{{Spec: *spec, Next: []fsm.Time{next}}}})
}

func (w *week) keys() (keys []fsm.JobKey) {
	for i := range w.specs {
		keys = append(keys, w.specs[i].Key())
	}
	return keys
}

func (w *week) elapsed() time.Duration { return time.Duration(w.now - w.begin) }

// apply has a command committed and applied, and returns what it answers.
func (w *week) apply(op fsm.Opcode, command any) any {
	w.t.Helper()
	applied, err := w.node.Apply(w.t.Context(), fsm.Encode(op, command))
	if err != nil {
		w.t.Fatal(err)
	}
	result := applied.Response.(fsm.Result)
	if result.Err != nil {
		w.t.Fatal(result.Err)
	}
	if list, ok := result.Value.([]error); ok {
		for _, err := range list {
			w.answers++
			if err != nil {
				w.refused++
			}
		}
	}
	return result.Value
}

// pass lets some time go by.
func (w *week) pass(d time.Duration) {
	for end := w.now + fsm.Time(d); w.now < end; w.now += weekSecond {
		w.decide()
		w.place()
		for i := range weekNodes {
			w.report(nodeID(i))
		}
		w.operate(int64((w.now - w.begin) / weekSecond))
	}
}

// decide commits what is due within the horizon.
func (w *week) decide() {
	var list []fsm.FireDecision
	flush := func() {
		if len(list) > 0 {
			w.apply(fsm.OpDecideFires, fsm.DecideFires{At: w.now, Decisions: list})
			w.decided += len(list)
			list = nil
		}
	}
	for cur := range w.store.Read().Due() {
		if cur.Next > w.now+weekHorizon {
			break
		}
		list = append(list, fsm.FireDecision{
			Job: cur.JobKey(), Version: cur.Version, Instant: cur.Next, Next: cur.Next + w.period[cur.JobKey()],
			Arm: &fsm.Placement{Node: nodeID(w.random.IntN(weekNodes)), Incarnation: 1, Reason: "most room"},
		})
		if len(list) == perEntry {
			flush()
		}
	}
	flush()
}

// place arms what waits: retries, and tasks after others.
func (w *week) place() {
	var list []fsm.Placement
	for s := range w.store.Read().Pending() {
		if s.NotBefore <= w.now {
			list = append(list, fsm.Placement{AttemptRef: s.Ref(), Node: nodeID(w.random.IntN(weekNodes)), Incarnation: 1, Reason: "most room"})
		}
	}
	if len(list) > 0 {
		w.apply(fsm.OpArmShards, fsm.ArmShards{At: w.now, Placements: list})
	}
}

// report says of what a node holds, and whose time has come, that it started or
// ended, or both.
func (w *week) report(node string) {
	v := w.store.Read()
	var list []fsm.Report
	flush := func() {
		if len(list) > 0 {
			w.apply(fsm.OpReportAttempts, fsm.ReportAttempts{At: w.now, Node: node, Incarnation: 1, Reports: list})
			list = nil
		}
	}
	for s := range v.HeldBy(node) {
		if run := v.Run(s.RunID); run.NotBefore > w.now {
			continue
		}
		list = append(list, w.outcome(s))
		if len(list) == perEntry {
			flush()
		}
	}
	flush()
}

// outcome: of ten attempts nine end within a second; of fifty one fails; of a
// hundred one says much.
func (w *week) outcome(s *fsm.Shard) fsm.Report {
	r := fsm.Report{AttemptRef: s.Ref(), Kind: fsm.ReportEnded, Outcome: fsm.AttemptSucceeded, StartedAt: w.now, EndedAt: w.now + weekSecond/2}
	switch {
	case s.State == fsm.ShardRetracting:
		return fsm.Report{AttemptRef: s.Ref(), Kind: fsm.ReportNever}
	case s.State == fsm.ShardRunning:
		r.StartedAt = s.Current.StartedAt
	case w.random.IntN(10) == 0:
		return fsm.Report{AttemptRef: s.Ref(), Kind: fsm.ReportStarted, StartedAt: w.now}
	}
	if w.random.IntN(50) == 0 {
		r.Outcome, r.ExitCode = fsm.AttemptFailed, 1
	}
	r.Tail = make([]byte, w.random.IntN(400))
	if w.random.IntN(100) == 0 {
		r.Tail = make([]byte, fsm.MaxTail)
	}
	w.ended++
	return r
}

// operate is what people do, and the minute's pruning.
func (w *week) operate(second int64) {
	restless := &w.specs[len(w.specs)-1]
	w.revisions++
	restless.Description = fmt.Sprint("revision ", w.revisions)
	w.put(restless)
	if second%w.prune == w.prune-1 {
		w.apply(fsm.OpPruneHistory, fsm.PruneHistory{At: w.now, Jobs: w.keys()})
	}
	if second%97 == 96 {
		w.apply(fsm.OpStartRun, fsm.StartRun{At: w.now, ID: fmt.Sprint("manual-", second), Job: w.specs[0].Key()})
	}
	switch second % 300 {
	case 20:
		w.paused = w.specs[w.random.IntN(len(w.specs))].Key()
		w.apply(fsm.OpSetPaused, fsm.SetPaused{At: w.now, Job: w.paused, Paused: true})
	case 50:
		w.apply(fsm.OpSetPaused, fsm.SetPaused{At: w.now, Job: w.paused})
	}
}

// audit lets what was decided come to its end: nothing may be left over, and
// nearly nothing may have been refused.
func (w *week) audit() {
	w.t.Helper()
	for _, key := range w.keys() {
		w.apply(fsm.OpSetPaused, fsm.SetPaused{At: w.now, Job: key, Paused: true})
	}
	for range 30 {
		w.now += weekSecond
		w.place()
		for i := range weekNodes {
			w.report(nodeID(i))
		}
	}
	v := w.store.Read()
	for r := range v.AllActiveRuns() {
		w.t.Errorf("run %s of job %s is still %s", r.ID, r.Job, r.State)
	}
	outcomes := 0
	for _, key := range w.keys() {
		if s := v.Stats(key); s != nil {
			outcomes += int(s.Ran)
			for _, n := range s.Skipped {
				outcomes += int(n)
			}
		}
	}
	if taken := w.decided - outcomes; taken < 0 || taken > w.revisions {
		w.t.Errorf("%d instants were decided, %d have an outcome", w.decided, outcomes)
	}
	if w.refused > w.answers/100 {
		w.t.Errorf("%d of %d answers were refusals", w.refused, w.answers)
	}
}
