// Package arch holds the rules of the repository's shape as tests: which package
// may import which, what the replicated state may not do, and what may stand at
// the top level.
package arch

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/rota-scheduler/rota"
	root   = "../.."
)

// allowed maps a package to those of ours that it may import. "x/..." stands for
// x and all below it. A package that is not listed may not exist: give it a place
// here first. What tests import is free, except for the packages in test/.
var allowed = map[string][]string{
	"cmd/rota":             {"cmd/rota/cli", "cmd/rota/agent"},
	"cmd/rota/cli":         cli,
	"cmd/rota/cli/dev":     cli,
	"cmd/rota/cli/jobfile": cli,
	"cmd/rota/cli/render":  {"fsm"},
	"cmd/rota/agent": {
		"cmd/rota/agent/raftnode", "transport/...", "scheduling/...", "membership/...", "fsm",
	},
	"cmd/rota/agent/raftnode": {"transport/...", "fsm"},

	"transport/httpapi": {"transport", "transport/api", "fsm"},
	"transport":         {"transport/api", "fsm"},
	"transport/api":     {"fsm"},

	"scheduling":                      {"fsm", "scheduling/cron", "scheduling/cronspec", "scheduling/match"},
	"scheduling/executor":             {"fsm", "scheduling/executor/proc", "scheduling/executor/httpcall"},
	"scheduling/executor/httpcall":    {},
	"scheduling/executor/proc":        {"scheduling/executor/proc/cgroup", "scheduling/executor/proc/pidns"},
	"scheduling/executor/proc/pidns":  {"scheduling/executor/proc/cgroup"},
	"scheduling/executor/proc/cgroup": {},
	"scheduling/executor/supervisor":  {"scheduling/executor/proc", "scheduling/executor/failpoint"},
	"scheduling/executor/failpoint":   {},
	"scheduling/provider":             {"fsm"},
	"scheduling/jobspec":              {"fsm", "scheduling/cron", "scheduling/cronspec", "scheduling/match"},
	"scheduling/cronspec":             {"fsm", "scheduling/cron"},
	"scheduling/cron":                 {},
	"scheduling/match":                {"fsm"},
	"scheduling/notifier":             {"fsm"},

	"membership":        {},
	"membership/memnet": {},
	"fsm":               {},
}

// cli is what the command line may use. It talks HTTP to the cluster; of the rest
// it needs what checks job files before they are sent.
var cli = []string{"cmd/rota/cli/...", "scheduling/jobspec", "scheduling/cron", "transport/api", "fsm"}

// kept maps a library to the only packages that may import it.
var kept = map[string][]string{
	"github.com/hashicorp/raft":     {"fsm", "transport", "membership", "cmd/rota/agent/..."},
	"github.com/adhocore/gronx":     {"scheduling/..."},
	"github.com/hashicorp/hcl/v2":   {"scheduling/jobspec", "cmd/rota/agent", "cmd/rota/cli/..."},
	"github.com/hashicorp/go-memdb": {"fsm"},
}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath, Name                   string
	Imports, TestImports, XTestImports []string
}

// path is the package's path within the module.
func (p *goPackage) path() string { return within(p.ImportPath) }

// within returns the path of one of our packages within the module, or "".
func within(importPath string) string {
	rest, ours := strings.CutPrefix(importPath, module+"/")
	if !ours {
		return ""
	}
	return rest
}

func isTest(path string) bool { return path == "test" || strings.HasPrefix(path, "test/") }

// matches says whether a path is named by one of the patterns.
func matches(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		tree, below := strings.CutSuffix(pattern, "/...")
		return path == tree || below && strings.HasPrefix(path, tree+"/")
	})
}

// packages lists the module's packages. Ones that do not compile are listed too.
func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Name,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p goPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) < 10 {
		t.Fatalf("go list found only %d packages", len(list))
	}
	return list
}

// wrongImports returns the edges of one package that no rule allows.
func wrongImports(p *goPackage) []string {
	if isTest(p.path()) {
		return nil // tests may import everything
	}
	var wrong []string
	targets, known := allowed[p.path()]
	if !known && p.Name != "" {
		wrong = append(wrong, "package "+p.path()+" has no place in the list of this test")
	}
	for _, i := range p.Imports {
		if to := within(i); to != "" && (isTest(to) || !matches(targets, to)) {
			wrong = append(wrong, p.path()+" imports "+to)
		}
		for library, owners := range kept {
			if (i == library || strings.HasPrefix(i, library+"/")) && !matches(owners, p.path()) {
				wrong = append(wrong, p.path()+" imports "+i+", which is kept to "+strings.Join(owners, ", "))
			}
		}
	}
	for _, i := range slices.Concat(p.TestImports, p.XTestImports) {
		if isTest(within(i)) {
			wrong = append(wrong, "a test of "+p.path()+" imports "+within(i))
		}
	}
	return wrong
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		seen[p.path()] = true
		for _, wrong := range wrongImports(&p) {
			t.Error(wrong)
		}
	}
	for p := range allowed {
		if !seen[p] {
			t.Errorf("%s is listed in this test but is not there", p)
		}
	}
}

// TestImportsAreFound: the rules notice what they are for.
func TestImportsAreFound(t *testing.T) {
	ours := func(paths ...string) []string {
		for i := range paths {
			paths[i] = path.Join(module, paths[i])
		}
		return paths
	}
	for name, c := range map[string]struct {
		p     goPackage
		wrong int
	}{
		"down":                   {goPackage{Name: "scheduling", ImportPath: module + "/scheduling", Imports: ours("fsm", "scheduling/cron")}, 0},
		"up":                     {goPackage{Name: "fsm", ImportPath: module + "/fsm", Imports: ours("scheduling")}, 1},
		"sideways":               {goPackage{Name: "scheduling", ImportPath: module + "/scheduling", Imports: ours("transport", "membership")}, 2},
		"test from product":      {goPackage{Name: "agent", ImportPath: module + "/cmd/rota/agent", Imports: ours("test/cluster")}, 1},
		"test from a unit test":  {goPackage{Name: "fsm", ImportPath: module + "/fsm", TestImports: ours("test/cluster")}, 1},
		"unit test, else":        {goPackage{Name: "fsm", ImportPath: module + "/fsm", TestImports: ours("scheduling")}, 0},
		"below a tree":           {goPackage{Name: "agent", ImportPath: module + "/cmd/rota/agent", Imports: ours("scheduling/executor/proc")}, 0},
		"a name that only looks": {goPackage{Name: "scheduling", ImportPath: module + "/scheduling", Imports: ours("fsmx")}, 1},
		"kept library":           {goPackage{Name: "cron", ImportPath: module + "/scheduling/cron", Imports: []string{"github.com/hashicorp/raft"}}, 1},
		"part of a kept library": {goPackage{Name: "fsm", ImportPath: module + "/fsm", Imports: []string{"github.com/hashicorp/hcl/v2/hclsyntax"}}, 1},
		"its neighbour":          {goPackage{Name: "transport", ImportPath: module + "/transport", Imports: []string{"github.com/hashicorp/raft-autopilot"}}, 0},
		"no place":               {goPackage{Name: "util", ImportPath: module + "/util"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if wrong := wrongImports(&c.p); len(wrong) != c.wrong {
				t.Errorf("found %q, want %d", wrong, c.wrong)
			}
		})
	}
}
