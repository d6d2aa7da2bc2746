package model

import (
	"strings"
	"testing"
)

// scale bounds the states of a search and the schedules of a walk. The race
// detector finds nothing in one goroutine and costs much: it gets less.
func scale() (states, schedules int) {
	switch {
	case testing.Short():
		return 50_000, 20
	case raceEnabled:
		return 60_000, 40
	}
	return 800_000, 400
}

func configNamed(t *testing.T, name string) Config {
	t.Helper()
	for _, c := range Configs() {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no configuration %q", name)
	return Config{}
}

func mustHold(t *testing.T, r Result) {
	t.Helper()
	if r.Broken != "" {
		t.Fatalf("%s, after %d states:\n%s", r.Broken, r.States, strings.Join(r.Trace, "\n"))
	}
}

// holding are scenes that are searched to their end, with the number of their states
// and steps.
var holding = []struct {
	config        string
	states, steps int
}{
	{"m:missed", 48329, 187146},
	{"m:token", 46197, 179773},
	{"m:discard", 33745, 144081},
	{"m:skip", 78467, 325776},
	{"m:quorum", 85979, 329168},
	{"m:pausetoken", 739360, 3250342},
	{"m:late", 7819, 25635},
	{"m:fastA", 6908, 25643},
	{"e:forbid-fail", 45769, 153348},
	{"e:silent-late", 499558, 2064206},
	{"e:silent", 622912, 2762834},
	{"e:freeze", 791800, 3489410},
	{"q:plain", 12089, 37649},
	{"q:fail", 113233, 387066},
	{"q:pause", 5278, 17306},
	{"q:manual-pause", 576579, 2056698},
	{"q:unplaced", 17829, 56425},
	{"r:plain", 34666, 112419},
	{"r:fail", 239180, 815100},
	{"r:crash", 604571, 2849729},
	{"r:pause", 6989, 22884},
	{"r:elect", 137485, 546972},
	{"r:three", 21141, 59835},
	{"g:root", 12089, 42071},
	{"g:dependent", 3993, 12414},
	{"g:queue", 1884, 5492},
	{"g:replace", 15154, 51498},
	{"g:pause", 17814, 69094},
	{"g:crash", 196761, 898568},
	{"g:delete", 14784, 50318},
	{"o:drain", 809, 2274},
	{"o:drain-crash", 109973, 509322},
	{"o:version", 1465, 4010},
	{"o:version-crash", 65059, 287274},
	{"o:version-manual", 48604, 163756},
	{"o:delete-crash", 57416, 256688},
	{"o:power", 122705, 577369},
	{"i:crash", 34699, 151046},
	{"w:answer", 17074, 55925},
	{"w:oneway", 551788, 2618144},
}

// With every rule in force nothing is broken in any state of these scenes, and all
// comes to its end. How many states there are says that the model is the same.
func TestRulesHold(t *testing.T) {
	for _, tt := range holding {
		t.Run(tt.config, func(t *testing.T) {
			if states, _ := scale(); tt.states > states {
				t.Skipf("has %d states; at most %d are visited here", tt.states, states)
			}
			m := Model{Config: configNamed(t, tt.config)}
			r := m.Search(Limits{FairEvery: 50})
			mustHold(t, r)
			if !r.Complete || r.States != tt.states || r.Steps != tt.steps {
				t.Errorf("complete %t, %d states, %d steps; want %d states, %d steps", r.Complete, r.States, r.Steps, tt.states, tt.steps)
			}
		})
	}
}

// needed holds, for each rule, the scene that shows best what comes without it.
var needed = [ruleCount]struct {
	config string
	broken Broken
	states int // that it takes to get there
	fair   int
}{
	Token:           {"m:token", TwoAttempts, 8075, 0},
	ForkCheck:       {"m:token", TwoAttempts, 8163, 0},
	Quorum:          {"m:quorum", TwoAttempts, 77350, 0},
	AgeFromSend:     {"w:answer", TwoAttempts, 16194, 0},
	Floor:           {"m:late", StillAlive, 3892, 0},
	Hold:            {"m:late", StillAlive, 5730, 0},
	IncarnationTie:  {"m:life", TwoAttempts, 183217, 0},
	RefusedAt:       {"m:reset", TwoAttempts, 116717, 0},
	SkewDead:        {"m:fastA", TwoAttempts, 10803, 0},
	NoteIncarnation: {"m:life", TwoAttempts, 497221, 0},
	DropFirst:       {"m:listener", TwoAttempts, 262913, 0},
	MaybeStarted:    {"m:late", StillAlive, 3500, 0},
	LapseFirst:      {"i:pause", PauseBroken, 11136, 0},
	ConditionFinal:  {"m:fail", TwoRuns, 2221, 0},
	SingleAttempt:   {"g:dependent", TwoRuns, 3680, 0},
	SkipKept:        {"m:chain", TwoRuns, 708530, 0},
	Discard:         {"m:discard", StillAlive, 4095, 0},
	Latch:           {"e:freeze", TwoAttempts, 211744, 0},
	StartRecord:     {"e:pause-sup", TwoOutcomes, 69512, 0},
	OrphansDie:      {"e:supdies", TwoAttempts, 460186, 0},
	RebootMaybe:     {"o:power", TwoOutcomes, 7207, 0},
	OneDecider:      {"m:missed", StillAlive, 2519, 0},
	MaybeWaits:      {"m:maybe", TwoOutcomes, 41261, 0},
	AskBack:         {"e:pause", StillAlive, 872, 0},
	CancelWaits:     {"r:plain", StillAlive, 4104, 0},
	CancelFinal:     {"r:sup", NeverFinishes, 2495, 5},
	ReplacerWanted:  {"r:pause", ForNothing, 843, 0},
	GateFirst:       {"g:pause", TwoOutcomes, 4793, 0},
	FreshRun:        {"o:version-crash", TwoAttempts, 94317, 0},
	OneLine:         {"q:manual", NeverFinishes, 1490, 5},
}

// Each rule, left out, leads to a trace that breaks a promise.
func TestEachRuleIsNeeded(t *testing.T) {
	for rule := range ruleCount {
		t.Run(rule.String(), func(t *testing.T) {
			want := needed[rule]
			if states, _ := scale(); want.states > states {
				t.Skipf("takes %d states; at most %d are visited here", want.states, states)
			}
			c := configNamed(t, want.config)
			c.Off = c.Off.Add(rule)
			m := Model{Config: c}
			r := m.Search(Limits{States: 2 * want.states, FairEvery: want.fair})
			if r.Broken != want.broken {
				t.Fatalf("without %s in %s after %d states: %q is broken, want %q", rule, want.config, r.States, r.Broken, want.broken)
			}
			t.Logf("%d states, %s:\n%s", r.States, r.Broken, strings.Join(r.Trace, "\n"))
		})
	}
}

// Both executors real, and every fault: nothing is broken on random schedules.
func TestRandomSchedules(t *testing.T) {
	_, schedules := scale()
	for _, c := range Configs() {
		if !strings.HasPrefix(c.Name, "all-") {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			m := Model{Config: c}
			mustHold(t, m.Walk(Limits{States: schedules}, 1))
		})
	}
}

// A walk without a rule finds something too: the random schedules do reach far.
func TestRandomSchedulesFind(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("takes thousands of schedules")
	}
	for _, rule := range []Rule{Token, AskBack, CancelWaits} {
		c := configNamed(t, "all-replace")
		c.Off = c.Off.Add(rule)
		m := Model{Config: c}
		if r := m.Walk(Limits{States: 20_000}, 1); r.Broken == "" {
			t.Errorf("without %s nothing is broken on %d random schedules", rule, r.States)
		}
	}
}

func TestTraceTellsTheSteps(t *testing.T) {
	c := configNamed(t, "e:pause")
	c.Off = c.Off.Add(AskBack)
	m := Model{Config: c}
	r := m.Search(Limits{})
	trace := strings.Join(r.Trace, "\n")
	for _, want := range []string{
		"t=3\n", "leader arms run 0 on A\n", "agent A decides to start run 0\n", "PAUSE is asked for\n",
		"= run 0: skipped: paused", "run 0 LIVE (attempt 0)",
	} {
		if !strings.Contains(trace, want) {
			t.Errorf("the trace does not say %q:\n%s", want, trace)
		}
	}
}

func TestPartitions(t *testing.T) {
	for _, tt := range []struct {
		cut      Partition
		from, to uint8
		reaches  bool
	}{
		{Whole, nodeA, nodeC, true},
		{AAlone, nodeA, nodeC, false},
		{AAlone, nodeC, nodeA, false},
		{AAlone, nodeA, nodeA, true},
		{AAlone, nodeB, nodeC, true},
		{BAway, nodeA, nodeC, true},
		{BAway, nodeC, nodeB, false},
		{AMute, nodeA, nodeC, false},
		{AMute, nodeC, nodeA, true},
		{ADeaf, nodeA, nodeC, true},
		{ADeaf, nodeC, nodeA, false},
		{ANotHeard, nodeA, nodeC, false},
		{ANotHeard, nodeA, nodeB, true},
		{ANotHeard, nodeC, nodeA, true},
	} {
		if got := tt.cut.reaches(tt.from, tt.to); got != tt.reaches {
			t.Errorf("%s: %s reaches %s: %t, want %t", cutNames[tt.cut], nodeName(tt.from), nodeName(tt.to), got, tt.reaches)
		}
	}
}

func TestRuleNames(t *testing.T) {
	for rule := range ruleCount {
		if got, err := ParseRule(rule.String()); err != nil || got != rule {
			t.Errorf("ParseRule(%q) = %v, %v", rule, got, err)
		}
	}
	if _, err := ParseRule("nonsense"); err == nil {
		t.Error("ParseRule takes a rule that is none")
	}
}
