package cli

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

const planFile = `variable "hour" { default = 2 }

job "a" {
  schedule {
    cron     = "0 ${var.hour} * * *"
    timezone = "Asia/Shanghai"
  }
  task "one" { driver = "noop" }
}
job "b" {
  labels = { team = "data" }
  schedule {
    every = "1h"
    blackout {
      from = "2026-03-01T13:00:00Z"
      to   = "2026-03-01T14:30:00Z"
    }
  }
  schedule { at = "2026-03-01T15:30:00+00:00" }
  param "day" { default = "x" }
  task "one" {
    command = "/bin/two"
    args    = ["--run", run.id]
  }
}
job "c" {
  task "one" { driver = "noop" }
}
`

// planCluster has the jobs b and c, and two that are in no file.
func planCluster() map[string]http.HandlerFunc {
	old := api.Job{Job: fsm.Job{Namespace: "default", Name: "b"}, Spec: &fsm.JobSpec{
		Namespace: "default", Name: "b", Description: "before",
		Schedules: []fsm.Schedule{{Cron: "@daily"}},
		Tasks: []fsm.Task{
			{Name: "one", Driver: fsm.DriverExec, Command: "/bin/one", Args: []string{"--run", "${run.id}"}},
			{Name: "two", Driver: fsm.DriverNoop},
		},
	}}
	job := func(name string, deleting bool) api.Job {
		return api.Job{Job: fsm.Job{Namespace: "default", Name: name, Deleting: deleting}}
	}
	return map[string]http.HandlerFunc{
		"PUT /v1/jobs":   answer(200, putResults()),
		"GET /v1/jobs/b": answer(200, old),
		"GET /v1/jobs":   pages([]api.Job{job("b", false), job("going", true), job("old-one", false)}),
	}
}

func TestPlan(t *testing.T) {
	for name, args := range map[string][]string{
		"plan":          {"plan", "-"},
		"plan variable": {"plan", "-", "--var", "hour=5"},
		"plan prune":    {"plan", "-", "--prune"},
		"plan json":     {"plan", "-", "--prune", "-o", "json"},
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, planCluster())
			golden(t, name, execute(t.Context(), planFile, args...).String())
		})
	}
}

// A plan without changes exits with 0.
func TestPlanOfNothing(t *testing.T) {
	serve(t, map[string]http.HandlerFunc{
		"PUT /v1/jobs": answer(200, api.List[fsm.PutResult]{Items: []fsm.PutResult{{Job: fsm.JobKey{Namespace: "default", Name: "a"}, Version: 3}}}),
	})
	golden(t, "plan of nothing", execute(t.Context(), goodFile, "plan", "-").String())
}

// A plan changes nothing: all that it sends is a dry run and reads.
func TestPlanChangesNothing(t *testing.T) {
	handlers := planCluster()
	put := handlers["PUT /v1/jobs"]
	handlers["PUT /v1/jobs"] = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("dry_run") != "true" {
			t.Errorf("asked for %s %s", r.Method, r.URL)
		}
		put(w, r)
	}
	handlers["/"] = func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("asked for %s %s", r.Method, r.URL)
		}
	}
	serve(t, handlers)
	if got := execute(t.Context(), planFile, "plan", "-", "--prune"); got.code != 3 || !strings.HasPrefix(got.stderr, "warning: ") || strings.Count(got.stderr, "\n") != 1 {
		t.Error(got)
	}
}

// What keeps a plan from being made is no plan.
func TestPlanFails(t *testing.T) {
	handlers := planCluster()
	handlers["GET /v1/jobs/b"] = refuse(500, api.CodeInternal, "out of order")
	serve(t, handlers)
	if got := execute(t.Context(), planFile, "plan", "-"); got.code != 1 || got.stdout != "" {
		t.Error(got)
	}
	if got := execute(t.Context(), "job {", "plan", "-"); got.code != 2 {
		t.Error(got)
	}
	if got := execute(t.Context(), planFile, "plan", "-", "--prune", "--namespace", "*"); got.code != 2 {
		t.Error(got)
	}
}

func TestApplyPrune(t *testing.T) {
	var mu sync.Mutex
	var order []string
	handlers := planCluster()
	put := handlers["PUT /v1/jobs"]
	handlers["PUT /v1/jobs"] = func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, "apply "+r.URL.Query().Get("dry_run"))
		put(w, r)
	}
	handlers["DELETE /v1/jobs/{name}"] = func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, "delete "+r.PathValue("name"))
		answer(200, struct{}{})(w, r)
	}
	serve(t, handlers)
	golden(t, "apply prune dry run", execute(t.Context(), planFile, "apply", "-", "--prune", "--dry-run").String())
	golden(t, "apply prune", execute(t.Context(), planFile, "apply", "-", "--prune").String())
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"apply true", "apply ", "delete old-one"}; !slices.Equal(order, want) {
		t.Errorf("asked for %q, want %q", order, want)
	}
}

// Flags win over files, and files over the environment.
func TestVariables(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("jobs.hcl", `variable "x" { default = "default" }
variable "list" {
  type    = list(string)
  default = []
}
job "a" {
  description = "${var.x} ${join("+", var.list)}"
  task "t" { driver = "noop" }
}
`)
	first, second := write("1.vars", "x = \"file 1\"\nlist = [\"a\"]\n"), write("2.vars", `x = upper("file 2")`)
	unknown, broken := write("3.vars", "y = 1\n"), write("4.vars", "x =\n")
	for name, c := range map[string]struct {
		args []string
		env  string
		want string // of the description, or of stderr
		code int
	}{
		"default":      {nil, "", "default ", 0},
		"environment":  {nil, "env", "env ", 0},
		"file":         {[]string{"--var-file", first}, "env", "file 1 a", 0},
		"files":        {[]string{"--var-file", first, "--var-file", second}, "env", "FILE 2 a", 0},
		"flag":         {[]string{"--var", "x=flag", "--var-file", first}, "env", "flag a", 0},
		"flags":        {[]string{"--var", "x=flag", "--var", "x=a=b", "--var", `list=["b", "c"]`}, "", "a=b b+c", 0},
		"unknown flag": {[]string{"--var", "xx=1"}, "", `Did you mean "x"?`, 2},
		"unknown":      {[]string{"--var-file", unknown}, "", `3.vars line 1`, 2},
		"syntax":       {[]string{"--var-file", broken}, "", `4.vars line 1`, 2},
		"no file":      {[]string{"--var-file", dir + "/none"}, "", `no such file`, 2},
		"no value":     {[]string{"--var", "x"}, "", "want NAME=VALUE", 2},
		"wrong type":   {[]string{"--var", "list=5"}, "", "--var list line 1", 2},
		"no value yet": {[]string{"--var", "list=[1"}, "", "--var list line 1", 2},
	} {
		t.Run(name, func(t *testing.T) {
			if c.env != "" {
				t.Setenv("ROTA_VAR_x", c.env)
				t.Setenv("ROTA_VAR_other", "is of no interest")
			}
			got := execute(t.Context(), "", append([]string{"validate", "-o", "json", file}, c.args...)...)
			text, want := got.stdout, `"description": "`+c.want+`"`
			if c.code != 0 {
				text, want = got.stderr, c.want
			}
			if got.code != c.code || !strings.Contains(text, want) {
				t.Errorf("want %s in %v", want, got)
			}
		})
	}
}
