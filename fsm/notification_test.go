package fsm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// telling makes a job tell of every event.
func telling(s JobSpec) JobSpec {
	s.ExpectedDuration = Duration(5 * second)
	s.Notify = []Notify{{Kind: NotifyWebhook, On: EventNames, URL: "https://user:pw@host:1/path?token=x", Secret: "s"}}
	return s
}

// told returns the notifications that wait.
func (l *lab) told() []*Notification { return slices.Collect(l.view().DueNotifications()) }

// tellings returns the names of the events that wait, and empties the queue.
func (l *lab) tellings() []string {
	l.t.Helper()
	var names []string
	cmd := RecordDeliveries{At: l.now}
	for _, n := range l.told() {
		names = append(names, n.Name)
		cmd.Deliveries = append(cmd.Deliveries, Delivery{Seq: n.Seq, Try: n.Tries + 1})
	}
	for i, err := range l.must(OpRecordDeliveries, cmd).([]error) {
		if err != nil {
			l.t.Fatalf("delivery %d: %v", i, err)
		}
	}
	return names
}

// TestEachEventIsTold: by the entry that brings it about.
func TestEachEventIsTold(t *testing.T) {
	for _, c := range []struct {
		name  string
		spec  func(*JobSpec)
		steps []func(*scene) error
		want  string
	}{
		{"success", nil, []func(*scene) error{reports(ReportStarted, ""), reports(ReportEnded, AttemptSucceeded)}, "success"},
		{"failure", nil, []func(*scene) error{reports(ReportEnded, AttemptFailed)}, "failure"},
		{"timeout of the run", func(s *JobSpec) { s.Timeout = 1 }, []func(*scene) error{
			reports(ReportStarted, ""), timesOut, reports(ReportEnded, AttemptCancelled),
		}, "failure"},
		{"retry", func(s *JobSpec) { s.Tasks[0].Retry.Attempts = 2 }, []func(*scene) error{reports(ReportEnded, AttemptFailed)}, "retry"},
		{"missed by its node", nil, []func(*scene) error{reports(ReportMissed, "")}, "missed"},
		{"missed on no node", nil, []func(*scene) error{displaces(DisplaceMove), displaces(DisplaceMiss)}, "missed"},
		{"lost and tried again", nil, []func(*scene) error{reports(ReportStarted, ""), displaces(DisplaceLose)}, "lost"},
		{"killed", nil, []func(*scene) error{reports(ReportKilled, "")}, "lost"},
		{"lost for good", func(s *JobSpec) { s.Tasks[0].OnNodeLoss = OnLossFail }, []func(*scene) error{reports(ReportStarted, ""), displaces(DisplaceLose)}, "lost failure"},
		{"ended by a drain", nil, []func(*scene) error{reports(ReportStarted, ""), evicts, reports(ReportKilled, "")}, ""},
		{"lost while drained", nil, []func(*scene) error{reports(ReportStarted, ""), evicts, displaces(DisplaceLose)}, "lost"},
		{"lost while cancelled", nil, []func(*scene) error{reports(ReportStarted, ""), cancels, displaces(DisplaceLose)}, ""},
		{"cancelled", nil, []func(*scene) error{reports(ReportStarted, ""), cancels, reports(ReportEnded, AttemptCancelled)}, ""},
		{"skipped", nil, []func(*scene) error{reports(ReportSkipped, "")}, ""},
		{"paused", nil, []func(*scene) error{pauses, reports(ReportNever, "")}, ""},
		{"deleted", nil, []func(*scene) error{reports(ReportStarted, ""), deletes, reports(ReportEnded, AttemptCancelled)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.node("n1", 1)
			l.node("n2", 1)
			s := telling(spec("j", 1))
			if c.spec != nil {
				c.spec(&s)
			}
			l.put(s)
			sc := (&scene{l, l.fired("j", on("n1"))}).then(c.steps...)
			if got := strings.Join(sc.tellings(), " "); got != c.want {
				t.Errorf("told %q, want %q", got, c.want)
			}
			checkInvariants(t, l.view())
		})
	}
}

func timesOut(s *scene) error {
	s.now += second
	return s.one(OpTimeoutRuns, TimeoutRuns{At: s.now, IDs: []string{s.run.ID}})
}

// TestMissedIsToldOnce: also where one row stands for many instants.
func TestMissedIsToldOnce(t *testing.T) {
	l := newLab(t)
	l.put(telling(spec("j", 1)))
	cur := l.view().cursor(key("j"), 0)
	l.now = cur.Next + 90*second
	d := FireDecision{
		Job: key("j"), Version: 1, Instant: cur.Next, Next: cur.Next + 100*second,
		Skip: ReasonMissed, Until: cur.Next + 80*second, Count: 9,
	}
	l.took(l.one(OpDecideFires, DecideFires{At: l.now, Decisions: []FireDecision{d}}))
	if err := l.one(OpDecideFires, DecideFires{At: l.now, Decisions: []FireDecision{d}}); !errors.Is(err, ErrStale) {
		t.Errorf("decided again: %v", err)
	}
	told := l.told()
	if len(told) != 1 || told[0].Name != EventMissed || told[0].Count != 9 || told[0].Until != cur.Next+80*second || told[0].ScheduledAt != cur.Next {
		t.Errorf("told %+v", told)
	}
}

// TestSlowIsToldOnce: and not before its time, nor of a run that has ended.
func TestSlowIsToldOnce(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.put(telling(spec("j", 1)))
	run := l.fired("j", on("n1"))
	note := func() error { return l.one(OpNoteSlowRuns, NoteSlowRuns{At: l.now, IDs: []string{run.ID}}) }
	if err := note(); !errors.Is(err, ErrStale) {
		t.Errorf("before it has started: %v", err)
	}
	l.took(l.report(l.gate(run), ReportStarted, ""))
	l.now += 4 * second
	if err := note(); !errors.Is(err, ErrStale) {
		t.Errorf("before its time: %v", err)
	}
	l.now += second
	l.took(note())
	if err := note(); !errors.Is(err, ErrStale) {
		t.Errorf("a second time: %v", err)
	}
	if told := l.tellings(); !slices.Equal(told, []string{EventSlow}) {
		t.Errorf("told %v", told)
	}
	if r := l.view().Run(run.ID); !r.Slow {
		t.Errorf("run %+v", r)
	}
	l.took(l.report(l.gate(run), ReportEnded, AttemptSucceeded))
	l.tellings()
	checkInvariants(t, l.view())
}

// TestEventSaysWhatHappened: of a failure, which attempt brought it about.
func TestEventSaysWhatHappened(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	s := telling(spec("j", 1, task("a"), task("b", "a"), task("c", "b")))
	l.put(s)
	run := l.fired("j", on("n1"))
	l.took(l.report(l.gate(run), ReportEnded, AttemptSucceeded))
	b := l.view().shard(run.ID, "b", 0)
	l.took(l.arm(b, "n1"))
	l.now += second
	l.took(l.one(OpReportAttempts, ReportAttempts{At: l.now, Node: "n1", Incarnation: 1, Reports: []Report{{
		AttemptRef: AttemptRef{run.ID, "b", 0, 1}, Kind: ReportEnded, StartedAt: l.now - second, EndedAt: l.now,
		Outcome: AttemptFailed, ExitCode: 3, Tail: []byte("no such day"),
	}}}))
	want := Event{
		Name: EventFailure, OccurredAt: l.now, Namespace: DefaultNamespace, Job: "j", Version: 1,
		RunID: run.ID, Trigger: TriggerSchedule, ScheduledAt: run.ScheduledAt, StartedAt: l.now - second, EndedAt: l.now,
		State: RunFailed, Reason: "exit code 3",
		EventAttempt: &EventAttempt{Task: "b", Attempt: 1, Node: "n1", Outcome: AttemptFailed, ExitCode: 3},
		Tail:         []byte("no such day"),
	}
	told := l.told()
	if len(told) != 1 {
		t.Fatalf("told %+v", told)
	}
	want.ID = told[0].ID
	if diff := cmp.Diff(want, told[0].Event); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if told[0].To != "https://host:1" {
		t.Errorf("it goes to %q: a URL may be a secret", told[0].To)
	}
}

// TestEventIDs: the same for every block, another for every event.
func TestEventIDs(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	s := telling(spec("j", 1))
	s.Notify = append(s.Notify, Notify{Kind: NotifyExec, On: []string{EventFailure, EventRetry, EventLost}, Command: "tell"})
	s.Tasks[0].Retry.Attempts = 2
	l.put(s)
	run := l.fired("j", on("n1"))
	fail := func() {
		l.now += second
		l.took(l.report(l.gate(run), ReportEnded, AttemptFailed))
	}
	fail() // retry
	l.took(l.arm(l.gate(run), "n1"))
	l.took(l.displace(l.gate(run), DisplaceLose))
	l.took(l.arm(l.gate(run), "n1"))
	fail()
	l.must(OpRetryRun, RetryRun{At: l.now, ID: run.ID, Number: 1})
	for range 2 {
		l.took(l.arm(l.gate(run), "n1"))
		fail()
	}
	ids := map[string][]string{}
	for _, n := range l.told() {
		ids[n.ID] = append(ids[n.ID], fmt.Sprint(n.Name, n.Block))
	}
	got := map[string]int{}
	for _, names := range ids {
		slices.Sort(names)
		got[strings.Join(names, " ")]++
	}
	want := map[string]int{"retry0 retry1": 2, "lost0 lost1": 1, "failure0 failure1": 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notifications by event (-want +got):\n%s", diff)
	}
}

// TestDeliveries: what becomes of tries, and that none counts twice.
func TestDeliveries(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.put(telling(spec("j", 1)))
	run := l.fired("j", on("n1"))
	l.took(l.report(l.gate(run), ReportEnded, AttemptSucceeded))
	record := func(d Delivery) error {
		return l.one(OpRecordDeliveries, RecordDeliveries{At: l.now, Deliveries: []Delivery{d}})
	}
	seq := l.told()[0].Seq
	for i, c := range []struct {
		d    Delivery
		want string
	}{
		{Delivery{Seq: seq, Try: 2}, "stale"},
		{Delivery{Seq: seq + 1, Try: 1}, "stale"},
		{Delivery{Seq: seq, Try: 1, Error: "refused", Next: l.now + second}, "<nil>"},
		{Delivery{Seq: seq, Try: 1, Error: "refused", Next: l.now + 9*second}, "stale"},
		{Delivery{Seq: seq, Try: 2, Error: "gave up"}, "<nil>"},
		{Delivery{Seq: seq, Try: 3}, "stale"},
	} {
		if got := sentinel(record(c.d)); got != c.want {
			t.Errorf("step %d: %s, want %s", i, got, c.want)
		}
		checkInvariants(t, l.view())
	}
	want := NotifyStats{Seq: 1, Kept: 1, Failed: 1, Retried: 1}
	if diff := cmp.Diff(want, *l.view().NotifyStats()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	for n := range l.view().Notifications(0) {
		if n.Status != NotificationFailed || n.Tries != 2 || n.LastError != "gave up" || n.Target != nil {
			t.Errorf("kept as %+v", n)
		}
	}
}

// TestQueueIsBounded: a job that tells too much pushes its own oldest out, and
// nobody else's.
func TestQueueIsBounded(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.put(telling(spec("quiet", 0)))
	if err := l.start("quiet", "q"); err != nil {
		t.Fatal(err)
	}
	l.took(l.arm(l.view().shard("q", "main", 0), "n1"))
	l.took(l.report(l.view().shard("q", "main", 0), ReportEnded, AttemptSucceeded))
	loud := telling(spec("loud", 0))
	loud.Tasks[0].Shards = &Shards{Count: MaxJobNotifications + 7}
	loud.Tasks[0].Retry.Attempts = 2
	l.put(loud)
	if err := l.start("loud", "l"); err != nil {
		t.Fatal(err)
	}
	for i := range MaxJobNotifications + 7 {
		l.took(l.arm(l.view().shard("l", "main", i), "n1"))
		l.took(l.report(l.view().shard("l", "main", i), ReportEnded, AttemptFailed))
	}
	checkInvariants(t, l.view())
	stats := l.view().NotifyStats()
	if stats.Pending != MaxJobNotifications+1 || stats.Dropped != 7 || stats.Kept != 7 {
		t.Errorf("counts %+v", stats)
	}
	var dropped []int
	for n := range l.view().Notifications(0) {
		if n.Status == NotificationDropped {
			dropped = append(dropped, n.Shard)
		}
	}
	if !slices.Equal(dropped, []int{0, 1, 2, 3, 4, 5, 6}) || l.told()[0].Job != "quiet" {
		t.Errorf("dropped shards %v, the first that waits is of %s", dropped, l.told()[0].Job)
	}
}

// TestClusterQueueIsBounded: with the cluster's queue full the oldest of all goes,
// and what is kept of the past is bounded as well.
func TestClusterQueueIsBounded(t *testing.T) {
	l := newLab(t)
	const jobs = MaxNotifications/MaxJobNotifications + 4
	miss := func(job string, n int) {
		d := DecideFires{At: l.now}
		cur := l.view().cursor(key(job), 0)
		for i := range n {
			at := cur.Next + second*Time(i)
			d.Decisions = append(d.Decisions, FireDecision{Job: key(job), Version: 1, Instant: at, Next: at + second, Skip: ReasonMissed})
		}
		for _, err := range l.must(OpDecideFires, d).([]error) {
			l.took(err)
		}
	}
	for i := range jobs {
		s := telling(spec(fmt.Sprint("j", i), 1))
		s.Tasks[0].Env = map[string]string{"BIG": strings.Repeat("x", 100)}
		l.put(s)
		miss(s.Name, MaxJobNotifications)
	}
	checkInvariants(t, l.view())
	stats := l.view().NotifyStats()
	if want := jobs*MaxJobNotifications - MaxNotifications; stats.Pending != MaxNotifications || stats.Dropped != uint64(want) || stats.Kept != MaxKeptNotifications {
		t.Errorf("counts %+v, want %d dropped", stats, want)
	}
	if first := l.told()[0]; first.Job != "j4" {
		t.Errorf("the oldest that waits is of %s", first.Job)
	}
}

// TestNotificationsOutliveTheirJob: what happened is told even if the job is gone
// by then.
func TestNotificationsOutliveTheirJob(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.put(telling(spec("j", 1)))
	run := l.fired("j", on("n1"))
	l.took(l.report(l.gate(run), ReportEnded, AttemptFailed))
	l.must(OpDeleteJob, DeleteJob{At: l.now, Job: key("j")})
	if l.view().Job(key("j")) != nil {
		t.Fatal("the job is still there")
	}
	told := l.told()
	if len(told) != 1 || told[0].Target.Secret.Reveal() != "s" {
		t.Errorf("told %+v", told)
	}
	if got := l.tellings(); !slices.Equal(got, []string{EventFailure}) {
		t.Errorf("delivered %v", got)
	}
}

// TestSecretsDoNotShow: neither in formatted texts nor in what is redacted.
func TestSecretsDoNotShow(t *testing.T) {
	s := telling(spec("j", 1))
	s.Notify[0].Secret = "hunter2"
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %s", s, s.Notify[0], s.Notify[0].Secret), string(s.Redacted().Notify[0].Secret)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("the secret shows in %q", text)
		}
	}
	if s.Notify[0].Secret.Reveal() != "hunter2" {
		t.Error("redacting changed the original")
	}
	if errs := s.Redacted().Validate(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "secret") {
		t.Errorf("what was redacted can be applied: %v", errs)
	}
}
