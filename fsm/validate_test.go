package fsm

import (
	"errors"
	"strings"
	"testing"
)

// TestValidate: one broken rule each, found under the path of its field.
func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*JobSpec)
		want  string // the beginning of the only message; "" means valid
	}{
		{"valid", func(*JobSpec) {}, ""},
		{"no namespace", func(s *JobSpec) { s.Namespace = "" }, "namespace: name \"\""},
		{"name of a path", func(s *JobSpec) { s.Name = "../x" }, "name: name \"../x\""},
		{"no task", func(s *JobSpec) { s.Tasks = nil }, "task: a job needs"},
		{"too many tasks", func(s *JobSpec) { s.Tasks = make([]Task, MaxTasks+1) }, "task: at most"},
		{"two of one name", func(s *JobSpec) { s.Tasks[1].Name = "a"; s.Tasks[2].DependsOn = nil }, `task "a": there is already`},
		{"unknown dependency", func(s *JobSpec) { s.Tasks[1].DependsOn = []string{"x"} }, `task "b" depends_on: there is no task "x"`},
		{"dependency named twice", func(s *JobSpec) { s.Tasks[1].DependsOn = []string{"a", "a"} }, `task "b" depends_on: names task "a" twice`},
		{"waits for itself", func(s *JobSpec) { s.Tasks[0].DependsOn = []string{"a"} }, `task "a" depends_on: the tasks wait for each other: a -> a`},
		{"cycle", func(s *JobSpec) { s.Tasks[0].DependsOn = []string{"c"} }, `task "a" depends_on: the tasks wait for each other: a -> c -> b -> a`},
		{"unknown driver", func(s *JobSpec) { s.Tasks[0].Driver, s.Tasks[0].Command = "magic", "x" }, `task "a" driver: "magic"`},
		{"no command", func(s *JobSpec) { s.Tasks[0].Driver = "" }, `task "a" command: the exec driver needs`},
		{"shell with args", func(s *JobSpec) {
			s.Tasks[0].Driver, s.Tasks[0].Command, s.Tasks[0].Args = DriverShell, "x", []string{"y"}
		}, `task "a" args: the shell`},
		{"negative weight", func(s *JobSpec) { s.Tasks[0].Weight = -1 }, `task "a" weight: -1 is outside`},
		{"negative timeout", func(s *JobSpec) { s.Tasks[0].Timeout = -1 }, `task "a" timeout: `},
		{"a timeout of an age", func(s *JobSpec) { s.Tasks[0].Timeout = MaxDuration + 1 }, `task "a" timeout: `},
		{"env without a name", func(s *JobSpec) { s.Tasks[0].Env = map[string]string{"": "x"} }, `task "a" env: `},
		{"env with a zero byte", func(s *JobSpec) { s.Tasks[0].Env = map[string]string{"A\x00": "x"} }, `task "a" env: `},
		{"history of millions", func(s *JobSpec) { s.History.Runs = MaxHistoryRuns + 1 }, "history runs: "},
		{"negative history", func(s *JobSpec) { s.History.Age = -1 }, "history age: "},
		{"empty schedule", func(s *JobSpec) { s.Schedules[0].Every = 0 }, "schedule[0]: want exactly one of"},
		{"two forms", func(s *JobSpec) { s.Schedules[0].Cron = "* * * * *" }, "schedule[0]: want exactly one of"},
		{"negative interval", func(s *JobSpec) { s.Schedules[0].Every = -1 }, "schedule[0] every: "},
		{"unknown overlap", func(s *JobSpec) { s.Schedules[0].Overlap = "maybe" }, `schedule[0] overlap: "maybe"`},
		{"too many schedules", func(s *JobSpec) { s.Schedules = many(s.Schedules[0], MaxSchedules+1) }, "schedule: at most"},
		{"a megabyte of description", func(s *JobSpec) { s.Description = strings.Repeat("x", MaxSpecBytes) }, "job: its content takes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := spec("j", 1, task("a"), task("b", "a"), task("c", "b"))
			c.spoil(&s)
			errs := s.Validate()
			if c.want == "" {
				if len(errs) != 0 {
					t.Errorf("found %v", errs)
				}
				return
			}
			if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), c.want) || !errors.Is(errs[0], ErrInvalid) {
				t.Errorf("found %v, want one that begins %q", errs, c.want)
			}
		})
	}
}

func many[T any](v T, n int) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// TestValidateNamesEnvInOrder: the messages do not follow the order of a map.
func TestValidateNamesEnvInOrder(t *testing.T) {
	s := spec("j", 0)
	s.Tasks[0].Env = map[string]string{}
	for _, c := range "ABCDEFGH" {
		s.Tasks[0].Env[string(c)+"="] = ""
	}
	for range 50 {
		errs := s.Validate()
		if len(errs) != 8 || !strings.Contains(errs[0].Message, "A=") || !strings.Contains(errs[7].Message, "H=") {
			t.Fatalf("found %v", errs)
		}
	}
}
