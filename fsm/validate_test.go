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
		{"unknown run_if", func(s *JobSpec) { s.Tasks[1].RunIf = "never" }, `task "b" run_if: "never"`},
		{"any_failed of nothing", func(s *JobSpec) { s.Tasks[0].RunIf = RunIfAnyFailed }, `task "a" run_if: "any_failed" needs depends_on`},
		{"shards of nothing", func(s *JobSpec) { s.Tasks[0].Shards = &Shards{} }, `task "a" shards: want count`},
		{"count and nodes", func(s *JobSpec) { s.Tasks[0].Shards = &Shards{Count: 2, PerNode: true} }, `task "a" shards: count and per_node`},
		{"a range alone", func(s *JobSpec) { s.Tasks[0].Shards = &Shards{Range: &[2]int64{0, 9}} }, `task "a" shards range: a range needs`},
		{"an empty range", func(s *JobSpec) { s.Tasks[0].Shards = &Shards{Count: 2, Range: &[2]int64{9, 9}} }, `task "a" shards range: [9, 9]`},
		{"a range that overflows", func(s *JobSpec) { s.Tasks[0].Shards = &Shards{Count: 2, Range: &[2]int64{-1 << 62, 1 << 62}} }, `task "a" shards range: [-46`},
		{"two sources", func(s *JobSpec) {
			s.Tasks[0].Shards = &Shards{Count: 2, Range: &[2]int64{0, 9}, Items: []string{"x"}}
		}, `task "a" shards: want at most one of`},
		{"too many shards", func(s *JobSpec) { s.Tasks[0].Shards = &Shards{Count: MaxShards + 1} }, `task "a" shards count: 10001 is outside`},
		{"items of a stranger", func(s *JobSpec) { s.Tasks[2].Shards = &Shards{ItemsFrom: "a"} }, `task "c" shards items_from: depends_on does not name task "a"`},
		{"items of a noop", func(s *JobSpec) { s.Tasks[2].Shards = &Shards{ItemsFrom: "b"} }, `task "c" shards items_from: task "b" has the noop driver`},
		{"unknown reference", func(s *JobSpec) { s.Tasks[0].Command = "${run.what}" }, `task "a" command: ${run.what}: there is no such value`},
		{"an open reference", func(s *JobSpec) { s.Tasks[0].Args = []string{"x ${run.id"} }, `task "a" args: "${run.id": want a reference`},
		{"an escaped reference", func(s *JobSpec) { s.Tasks[0].Args = []string{"$${run.what} $HOME $"} }, ""},
		{"a reference to no param", func(s *JobSpec) { s.Tasks[0].Env = map[string]string{"A": "${params.x}"} }, `task "a" env: ${params.x}: the job has no param "x"`},
		{"output of an ancestor", func(s *JobSpec) { s.Tasks[2].Dir = "/${tasks.a.output}" }, ""},
		{"output of a descendant", func(s *JobSpec) { s.Tasks[0].Dir = "/${tasks.c.output}" }, `task "a" dir: ${tasks.c.output}: task "c" may not have ended`},
		{"output of one that may still run", func(s *JobSpec) {
			s.Tasks[2].Dir, s.Tasks[2].RunIf = "/${tasks.a.output}", RunIfAllDone
		}, `task "c" dir: ${tasks.a.output}: task "a" may not have ended`},
		{"a slow nobody can know", func(s *JobSpec) { s.Notify = hooks(Notify{On: []string{EventSlow}}) }, `notify[0] on: "slow" needs the job's expected_duration`},
		{"no event", func(s *JobSpec) { s.Notify = hooks(Notify{On: []string{}}) }, `notify[0] on: want at least one of success,`},
		{"an unknown event", func(s *JobSpec) { s.Notify = hooks(Notify{On: []string{"end"}}) }, `notify[0] on: "end": want one of success,`},
		{"an event twice", func(s *JobSpec) { s.Notify = hooks(Notify{On: []string{EventRetry, EventRetry}}) }, `notify[0] on: names "retry" twice`},
		{"an unknown kind", func(s *JobSpec) { s.Notify = hooks(Notify{Kind: "mail"}) }, `notify[0]: "mail": want notify "webhook"`},
		{"a webhook to nowhere", func(s *JobSpec) { s.Notify = hooks(Notify{Kind: NotifyWebhook}) }, `notify[0] url: a webhook needs a url`},
		{"a webhook to a file", func(s *JobSpec) { s.Notify = hooks(Notify{URL: "file:///etc"}) }, `notify[0] url: want a form`},
		{"two secrets", func(s *JobSpec) { s.Notify = hooks(Notify{Secret: "a", SecretFile: "/b"}) }, `notify[0] secret_file: secret and`},
		{"a secret somewhere", func(s *JobSpec) { s.Notify = hooks(Notify{SecretFile: "b"}) }, `notify[0] secret_file: "b": want an absolute`},
		{"a webhook that runs", func(s *JobSpec) { s.Notify = hooks(Notify{Command: "a"}) }, `notify[0]: a webhook takes no command`},
		{"an exec of nothing", func(s *JobSpec) { s.Notify = hooks(Notify{Kind: NotifyExec}) }, `notify[0] command: an exec needs`},
		{"an exec that posts", func(s *JobSpec) { s.Notify = hooks(Notify{Kind: NotifyExec, Command: "a", Secret: "b"}) }, `notify[0]: an exec takes no url`},
		{"a zero byte in a command", func(s *JobSpec) { s.Notify = hooks(Notify{Kind: NotifyExec, Command: "a\x00"}) }, `notify[0] args: a command line`},
		{"an exec's env", func(s *JobSpec) {
			s.Notify = hooks(Notify{Kind: NotifyExec, Command: "a", Env: map[string]string{"=": ""}})
		}, `notify[0] env: "="`},
		{"an exec's user", func(s *JobSpec) { s.Notify = hooks(Notify{Kind: NotifyExec, Command: "a", User: "a b"}) }, `notify[0] user: "a b"`},
		{"an endless try", func(s *JobSpec) { s.Notify = hooks(Notify{Timeout: MaxNotifyTimeout + 1}) }, `notify[0] timeout: 1m0.000000001s`},
		{"a huge block", func(s *JobSpec) { s.Notify = hooks(Notify{Secret: Secret(strings.Repeat("x", MaxNotifyBytes))}) }, `notify[0]: the block takes`},
		{"too many receivers", func(s *JobSpec) { s.Notify = many(hooks(Notify{})[0], MaxNotifyBlocks+1) }, `notify: at most 16`},
		{"a negative expectation", func(s *JobSpec) { s.ExpectedDuration = -1 }, `expected_duration: `},
		{"output of a dependency", func(s *JobSpec) { s.Tasks[2].Dir = "/${tasks.b.output}" }, ""},
		{"param without a default", func(s *JobSpec) { s.Params = []Param{{Name: "x"}} }, `param "x" default: a job that starts by itself`},
		{"params that differ by case", func(s *JobSpec) { s.Params = []Param{{Name: "x", Default: new("")}, {Name: "X", Default: new("")}} }, `param "X": there is already`},
		{"a default of another type", func(s *JobSpec) { s.Params = []Param{{Name: "x", Type: ParamBool, Default: new("1")}} }, `param "x" default: "1": want true or false`},
		{"a default off the pattern", func(s *JobSpec) { s.Params = []Param{{Name: "x", Pattern: "a|b", Default: new("ab")}} }, `param "x" default: "ab" does not match`},
		{"a pattern that is none", func(s *JobSpec) { s.Params = []Param{{Name: "x", Pattern: "(", Default: new("ab")}} }, `param "x" pattern: "("`},
		{"follows itself", func(s *JobSpec) { s.After = []string{s.Name} }, `after: the job cannot follow itself`},
		{"follows a path", func(s *JobSpec) { s.After = []string{"../x"} }, `after: name "../x"`},
		{"a negative run timeout", func(s *JobSpec) { s.Timeout = -1 }, `timeout: `},
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

// hooks completes a notify block with what is needed of a valid one.
func hooks(n Notify) []Notify {
	if n.Kind == "" {
		n.Kind = NotifyWebhook
		if n.URL == "" {
			n.URL = "http://127.0.0.1/"
		}
	}
	if n.On == nil {
		n.On = []string{EventFailure}
	}
	return []Notify{n}
}
