package cli

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// cluster answers what the commands ask.
func cluster() map[string]http.HandlerFunc {
	jobs, runs := someJobs(), someRuns()
	started := api.Run{Run: fsm.Run{ID: waitingID, Namespace: "default", Job: "nightly", State: fsm.RunPending}}
	return map[string]http.HandlerFunc{
		"GET /v1/jobs":                 pages(jobs),
		"PUT /v1/jobs":                 answer(200, putResults()),
		"GET /v1/jobs/nightly":         answer(200, jobs[0]),
		"GET /v1/jobs/gone":            refuse(404, api.CodeNotFound, "job gone: not found; check the name and the namespace"),
		"DELETE /v1/jobs/nightly":      answer(200, struct{}{}),
		"POST /v1/jobs/nightly/run":    answer(201, started),
		"POST /v1/jobs/nightly/pause":  answer(200, jobs[0]),
		"POST /v1/jobs/nightly/resume": answer(200, jobs[0]),
		"POST /v1/jobs/gone/pause":     refuse(504, api.CodeTimeout, "job gone: not settled in time; repeat the request to go on waiting"),
		"GET /v1/jobs/nightly/fires":   answer(200, api.List[fsm.Fire]{Items: someFires()}),
		"GET /v1/runs":                 pages(runs),
		"GET /v1/runs/01KJM0FAILED":    answer(200, failedRun()),
		"GET /v1/runs/" + failedID:     answer(200, failedRun()),
		"GET /v1/runs/" + waitingID:    answer(200, waitingRun()),
		"GET /v1/runs/" + failedID + "/logs": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "log of %s\n", r.URL.RawQuery)
		},
		"POST /v1/runs/" + failedID + "/cancel":  refuse(409, api.CodeEnded, "run "+failedID+": run has already ended; there is nothing left to cancel"),
		"POST /v1/runs/" + waitingID + "/cancel": answer(200, started),
		"GET /v1/notifications":                  answer(200, api.List[fsm.Notification]{Items: someNotifications()}),
		"GET /v1/nodes":                          answer(200, api.List[api.Node]{Items: someNodes()}),
		"PUT /v1/nodes/n2/status":                answer(200, someNodes()[1]),
		"GET /v1/pools":                          answer(200, api.List[fsm.Pool]{Items: []fsm.Pool{{Name: "db", Limit: 3, Used: 2, Jobs: 4}, {Name: "licences", Limit: 10}}}),
		"DELETE /v1/pools/db":                    refuse(409, api.CodeConflict, "pool db is named by 4 jobs: change or delete them first"),
		"DELETE /v1/pools/licences":              answer(204, nil),
		"GET /v1/nodes/rtt":                      answer(200, someRTT()),
		"GET /v1/autoscale":                      answer(200, someScaling()),
		"POST /v1/autoscale/plan":                answer(200, api.ScalePlan{Nodes: 4, Delta: -1, Load: 0.1, Running: 40, Capacity: 400, Reason: "load 0.10 over 2m0s is at most 0.30", Names: []string{"n4"}}),
		"GET /v1/settings":                       answer(200, someSettings()),
		"PUT /v1/settings":                       answer(200, someSettings()),
		"GET /v1/leader":                         answer(200, api.Leader{ID: "id1", Name: "n1", HTTP: "10.0.0.1:7700"}),
		"POST /v1/leader/transfer":               refuse(503, api.CodeNoLeader, "the cluster has no leader at the moment, nothing was changed; try again in a second"),
		"GET /v1/version":                        answer(200, api.Version{Version: "1.2.4", Go: "go1.26"}),
	}
}

func putResults() api.PutAnswer {
	key := func(name string) fsm.JobKey { return fsm.JobKey{Namespace: "default", Name: name} }
	return api.PutAnswer{
		List: api.List[fsm.PutResult]{Index: 42, Items: []fsm.PutResult{
			{Job: key("a"), Version: 1, Created: true, Changed: true},
			{Job: key("b"), Version: 7, Changed: true},
			{Job: key("c"), Version: 2},
		}},
		Pools:    []fsm.PoolResult{{Name: "db", Limit: 3}, {Name: "licences", Limit: 5, Changed: true}},
		Warnings: []string{`job a, task "one": its weight is 500, and the largest node has a capacity of 100`},
	}
}

// pages serves one item a page.
func pages[T any](items []T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("page_token"), &n)
		list := api.List[T]{Items: items[n : n+1], Index: 42}
		if n+1 < len(items) {
			list.NextPageToken = fmt.Sprint(n + 1)
		}
		answer(200, list)(w, r)
	}
}

const goodFile = `job "a" {
  task "one" {
    driver = "noop"
  }
}
`

func TestGolden(t *testing.T) {
	tests := []struct {
		name, args, stdin string
	}{
		{name: "jobs", args: "jobs --namespace *"},
		{name: "jobs json", args: "jobs -o json --limit 2"},
		{name: "job", args: "job nightly"},
		{name: "job not found", args: "job gone"},
		{name: "runs", args: "runs"},
		{name: "runs limit", args: "runs -n 2"},
		{name: "fires", args: "fires nightly"},
		{name: "notifications", args: "notifications nightly"},
		{name: "usage status", args: "notifications --status lost"},
		{name: "nodes", args: "nodes"},
		{name: "nodes rtt", args: "nodes --rtt"},
		{name: "autoscale", args: "autoscale"},
		{name: "autoscale set", args: "autoscale set --provider exec --min 2 --max 9 -- /usr/local/bin/machines --zone a"},
		{name: "autoscale set dry run", args: "autoscale set --min 2 --dry-run"},
		{name: "autoscale off", args: "autoscale off"},
		{name: "settings", args: "settings"},
		{name: "settings latency", args: "settings latency us cn-east 130ms"},
		{name: "usage latency", args: "settings latency us cn-east soon"},
		{name: "node drain", args: "node drain n2"},
		{name: "node drain deadline", args: "node drain n2 --deadline 10m -o json"},
		{name: "usage drain", args: "node drain n2 --deadline 10m --force"},
		{name: "usage drain deadline", args: "node drain n2 --deadline 0s"},
		{name: "pools", args: "pools"},
		{name: "pools delete", args: "pools delete licences"},
		{name: "pools delete used", args: "pools delete db"},
		{name: "apply pool", args: "apply -", stdin: "pool \"licences\" {\n  limit = 5\n}\n"},
		{name: "apply known pool", args: "apply -", stdin: strings.Replace(goodFile, "driver", "pool   = \"db\"\n    driver", 1)},
		{name: "apply unknown pool", args: "apply -", stdin: strings.Replace(goodFile, "driver", "pool   = \"dp\"\n    driver", 1)},
		{name: "leader", args: "leader"},
		{name: "leader transfer fails", args: "leader transfer"},
		{name: "status failed", args: "status 01KJM0FAILED"},
		{name: "status waiting", args: "status " + waitingID},
		{name: "logs", args: "logs 01KJM0FAILED"},
		{name: "logs attempt", args: "logs 01KJM0FAILED crunch --attempt 1 --stream stderr --tail 9"},
		{name: "logs follow", args: "logs 01KJM0FAILED -f"},
		{name: "logs no task", args: "logs 01KJM0FAILED nope"},
		{name: "logs not started", args: "logs " + waitingID},
		{name: "cancel", args: "cancel " + waitingID},
		{name: "cancel ended", args: "cancel " + failedID},
		{name: "pause", args: "pause nightly"},
		{name: "pause timeout", args: "pause gone"},
		{name: "resume", args: "resume nightly"},
		{name: "delete", args: "delete nightly"},
		{name: "delete json", args: "delete nightly -o json"},
		{name: "run", args: "run nightly"},
		{name: "run quiet", args: "run nightly -q"},
		{name: "apply stdin", args: "apply -", stdin: goodFile},
		{name: "apply dry run", args: "apply --dry-run -", stdin: goodFile},
		{name: "apply bad", args: "apply -", stdin: "job \"a\" {\n  tusk \"b\" {}\n}\n"},
		{name: "apply nothing", args: "apply -", stdin: "# nothing\n"},
		{name: "apply no file", args: "apply testdata/no-such-file.hcl"},
		{name: "validate", args: "validate -", stdin: goodFile},
		{name: "validate pools", args: "validate -", stdin: strings.Replace(goodFile, "driver", "pools  = { db = 2, licences = 1 }\n    driver", 1)},
		{name: "validate pool of the files", args: "validate -", stdin: "pool \"db\" {\n  limit = 1\n}\n" + strings.Replace(goodFile, "driver", "pools  = { db = 2 }\n    driver", 1)},
		{name: "validate json", args: "validate - -o json --namespace ops", stdin: goodFile},
		{name: "version", args: "version"},
		{name: "version agent", args: "version --agent"},
		{name: "cron", args: "cron @daily -n 2 --tz Asia/Shanghai"},
		{name: "usage no command", args: "jub"},
		{name: "usage no subcommand", args: "node drian n2"},
		{name: "usage unknown flag", args: "jobs --colour"},
		{name: "usage missing argument", args: "pause"},
		{name: "usage extra argument", args: "jobs nightly"},
		{name: "usage output", args: "jobs -o yaml"},
		{name: "usage namespace", args: "jobs --namespace a/b"},
		{name: "usage address", args: "jobs --addr ftp://x"},
		{name: "usage state", args: "runs --state done"},
		{name: "usage stream", args: "logs abcdef --stream stdin"},
		{name: "usage dev nodes", args: "dev --nodes 0"},
		{name: "usage agent", args: "agent"},
		{name: "usage agent argument", args: "agent n1"},
		{name: "usage completion argument", args: "completion bash x"},
		{name: "usage completion shell", args: "completion basj"},
		{name: "usage help", args: "help node drian"},
		{name: "help", args: "help"},
		{name: "help command", args: "help cron"},
		{name: "no server", args: "jobs --addr 127.0.0.1:1"},
	}
	srv := serve(t, cluster())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := execute(t.Context(), tt.stdin, strings.Fields(tt.args)...).String()
			got = strings.ReplaceAll(got, srv.URL, "http://SERVER")
			golden(t, tt.name, "$ rota "+tt.args+"\n"+got)
		})
	}
}

// TestRefusals: what the cluster refuses as wrong ends as a bad file does.
func TestRefusals(t *testing.T) {
	handlers := cluster()
	handlers["PUT /v1/jobs"] = refuse(422, api.CodeInvalid, "a.hcl:3,5: no such zone", api.Diagnostic{
		Summary: "no such zone", Detail: "want an IANA name", File: "a.hcl", Line: 3, Column: 5,
	})
	serve(t, handlers)
	golden(t, "apply refused", execute(t.Context(), goodFile, "apply", "-").String())
}

// TestApplySends: the jobs go out as JSON, in the namespace of the flag.
func TestApplySends(t *testing.T) {
	var body string
	handlers := cluster()
	handlers["PUT /v1/jobs"] = func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		body = string(raw)
		answer(200, putResults())(w, r)
	}
	serve(t, handlers)
	if r := execute(t.Context(), goodFile, "apply", "-", "--namespace", "ops"); r.code != 0 {
		t.Fatal(r)
	}
	if !strings.Contains(body, `"namespace":"ops","name":"a"`) {
		t.Errorf("sent %s", body)
	}
}

// TestBadFileSendsNothing: a file that is not right never reaches the cluster.
func TestBadFileSendsNothing(t *testing.T) {
	serve(t, map[string]http.HandlerFunc{"/": func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("asked for %s", r.URL)
	}})
	if r := execute(t.Context(), "job {", "apply", "-"); r.code != 2 {
		t.Error(r)
	}
}
