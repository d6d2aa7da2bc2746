package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/rota-scheduler/rota/test/check"
)

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%s: %v", name, text, err)
	}
	return n
}

// TestRandomSchedules: every promise holds under random schedules of faults and
// of people who change things. ROTA_SIM_SEEDS says how many, ROTA_SIM_FIRST which
// comes first, ROTA_SIM_SEED names one to run alone.
func TestRandomSchedules(t *testing.T) {
	first, count := number(t, "ROTA_SIM_FIRST", 1), number(t, "ROTA_SIM_SEEDS", defaultSeeds())
	if one := number(t, "ROTA_SIM_SEED", 0); one != 0 {
		first, count = one, 1
	}
	for i := range count {
		seed := first + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			playAndJudge(t, Generate(uint64(seed)))
		})
	}
}

func defaultSeeds() int {
	if testing.Short() {
		return 4
	}
	return 200
}

// TestKeptSchedules: the schedules that have once failed, by their steps.
// ROTA_SIM_FILE names another one to run instead.
func TestKeptSchedules(t *testing.T) {
	files, err := filepath.Glob("testdata/schedules/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if one := os.Getenv("ROTA_SIM_FILE"); one != "" {
		files = []string{one}
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Parse(file, string(text))
			if err != nil {
				t.Fatal(err)
			}
			playAndJudge(t, s)
		})
	}
}

// shrinks bounds how many failing schedules of a test run are made smaller.
var shrinks atomic.Int32

// playAndJudge plays a schedule and, should it break a promise, prints it, and the
// few of its steps that it takes.
func playAndJudge(t *testing.T, s Schedule) {
	verdict := playIn(t, s)
	if verdict == nil || len(verdict.Violations) == 0 {
		return
	}
	verdict.Judge(t)
	t.Logf("the schedule of %s; ROTA_SIM_FILE=FILE runs such a text again:\n%s", s.Name, s)
	if shrinks.Add(1) > 3 || os.Getenv("ROTA_SIM_SHRINK") == "0" {
		return
	}
	kind := verdict.Violations[0].Kind
	small := Shrink(s, func(s Schedule) bool {
		again := false
		t.Run("smaller", func(t *testing.T) {
			v := playIn(t, s)
			again = v != nil && slices.ContainsFunc(v.Violations, func(x check.Violation) bool { return x.Kind == kind })
		})
		return again
	})
	if len(small.Steps) < len(s.Steps) {
		t.Logf("%q also comes of:\n%s", kind, small)
	}
}

// playIn plays a schedule in a bubble of its own.
func playIn(t *testing.T, s Schedule) (verdict *check.Verdict) {
	var bubble string
	defer func() {
		if problem := recover(); problem != nil && (verdict == nil || !leftByRaft(bubble)) {
			panic(problem)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		bubble = bubbleOf()
		verdict = Play(t, s)
	})
	return verdict
}

var bubblePattern = regexp.MustCompile(`synctest bubble \d+`)

// bubbleOf names the bubble of the calling goroutine.
func bubbleOf() string {
	stack := make([]byte, 1<<10)
	return bubblePattern.FindString(string(stack[:runtime.Stack(stack, false)]))
}

// leftByRaft says whether every goroutine that is left in a bubble waits for an
// answer of raft. It forgets to answer what it is asked in the instant in which it
// is shut down; the process of an agent ends then anyway.
func leftByRaft(bubble string) bool {
	stacks := make([]byte, 64<<20)
	for g := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(g, bubble+"]") && !strings.Contains(g, "raft.(*deferError).Error") {
			return false
		}
	}
	return bubble != ""
}
