package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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
func TestKeptSchedules(t *testing.T) {
	files, err := filepath.Glob("testdata/schedules/*.txt")
	if err != nil {
		t.Fatal(err)
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

// playAndJudge plays a schedule and, should it break a promise, prints it.
func playAndJudge(t *testing.T, s Schedule) {
	var verdict *check.Verdict
	synctest.Test(t, func(t *testing.T) { verdict = Play(t, s) })
	if verdict == nil || len(verdict.Violations) == 0 {
		return
	}
	verdict.Judge(t)
	t.Logf("the schedule of %s:\n%s", s.Name, s)
}
