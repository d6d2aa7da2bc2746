package arch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Replicas stay equal only if applying an entry depends on nothing but the entry
// and the state. Package fsm may not use what follows.
var (
	bannedImports = []string{
		"math/rand", "math/rand/v2", "crypto/rand", "os", "os/...", "net", "net/http/...", "net/rpc/...", "syscall", "runtime", "unsafe",
		"log", "log/...", "github.com/google/uuid", "github.com/adhocore/gronx",
	}
	bannedFuncs = map[string][]string{
		"time": {"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep", "Local", "LoadLocation"},
		// The order of these is random; sorted it is not.
		"maps": {"Keys", "Values", "All"},
		// These read the clock or draw.
		"github.com/oklog/ulid/v2": {"Make", "Now", "DefaultEntropy"},
	}
	sorters = []string{"Sorted", "SortedFunc", "SortedStableFunc"}
)

// excuse, on the line of a range over a map or the one above, says why its order
// has no effect.
const excuse = "// order does not matter:"

// inspection looks at the files of one package.
type inspection struct {
	fset  *token.FileSet
	info  *types.Info
	lines map[string][]string // of each file
	found []string
}

func (x *inspection) report(n ast.Node, format string, args ...any) {
	p := x.fset.Position(n.Pos())
	x.found = append(x.found, fmt.Sprintf("%s:%d: %s", filepath.Base(p.Filename), p.Line, fmt.Sprintf(format, args...)))
}

func (x *inspection) file(f *ast.File) {
	for _, i := range f.Imports {
		if path, err := strconv.Unquote(i.Path.Value); err == nil && matches(bannedImports, path) {
			x.report(i, "import of %s", path)
		}
	}
	sorted := map[ast.Node]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			x.report(n, "go statement")
		case *ast.SelectStmt:
			x.report(n, "select")
		case *ast.RangeStmt:
			x.rangeOver(n)
		case *ast.CallExpr:
			if pkg, name := x.selected(n.Fun); pkg == "slices" && slices.Contains(sorters, name) {
				if inner, ok := n.Args[0].(*ast.CallExpr); ok {
					sorted[inner.Fun] = true
				}
			}
		case *ast.SelectorExpr:
			if pkg, name := x.selected(n); slices.Contains(bannedFuncs[pkg], name) && !sorted[n] {
				x.report(n, "%s.%s", pkg, name)
			}
		}
		return true
	})
}

// selected returns the package and the name of a qualified identifier.
func (x *inspection) selected(e ast.Expr) (pkg, name string) {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	id, ok := s.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	p, ok := x.info.Uses[id].(*types.PkgName)
	if !ok {
		return "", ""
	}
	return p.Imported().Path(), s.Sel.Name
}

func (x *inspection) rangeOver(n *ast.RangeStmt) {
	over := x.info.TypeOf(n.X)
	if over == nil {
		x.report(n, "range over something without a type")
		return
	}
	if _, isMap := over.Underlying().(*types.Map); !isMap {
		return
	}
	p := x.fset.Position(n.Pos())
	lines := x.lines[p.Filename]
	for _, line := range lines[max(0, p.Line-2):p.Line] {
		if strings.Contains(line, excuse) {
			return
		}
	}
	x.report(n, "range over a map without %q", excuse)
}

// inspect parses and checks sources, given by their file names.
func inspect(t *testing.T, sources map[string][]byte, lookup func(string) (io.ReadCloser, error)) []string {
	t.Helper()
	x := &inspection{fset: token.NewFileSet(), lines: map[string][]string{}}
	x.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	var files []*ast.File
	for name, src := range sources {
		f, err := parser.ParseFile(x.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		x.lines[name] = strings.Split(string(src), "\n")
	}
	conf := types.Config{Importer: importer.ForCompiler(x.fset, "gc", lookup)}
	if _, err := conf.Check("fsm", x.fset, files, x.info); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		x.file(f)
	}
	slices.Sort(x.found)
	return x.found
}

// exports returns how to find the compiled form of whatever packages import.
func exports(t *testing.T, packages ...string) func(string) (io.ReadCloser, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, packages...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files := map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p struct{ ImportPath, Export string }
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
}

func TestStateIsDeterministic(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(root, "fsm", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string][]byte{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if sources[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	if len(sources) < 10 {
		t.Fatalf("found only %d files of package fsm", len(sources))
	}
	for _, found := range inspect(t, sources, exports(t, "./fsm")) {
		t.Error(found)
	}
}

// TestInspectionFinds: the inspection notices what it is for.
func TestInspectionFinds(t *testing.T) {
	const src = `package fsm
import (
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	clock "time"
)
type table map[string]int
func apply(m table, c chan int) {
	_ = clock.Now()
	later := clock.After
	_ = later
	_ = rand.Int()
	_ = os.Args
	go apply(m, c)
	select { case <-c: default: }
	for range m {}
	// order does not matter: it only counts
	for range m {}
	for range maps.Keys(m) {}
	for range slices.Sorted(maps.Keys(m)) {}
	for range []int{1} {}
	_ = clock.Unix(0, 0)
}
`
	got := inspect(t, map[string][]byte{"bad.go": []byte(src)}, exports(t, "maps", "math/rand/v2", "os", "slices", "time"))
	want := []string{
		"bad.go:11: time.Now",
		"bad.go:12: time.After",
		"bad.go:16: go statement",
		"bad.go:17: select",
		`bad.go:18: range over a map without "` + excuse + `"`,
		"bad.go:21: maps.Keys",
		"bad.go:4: import of math/rand/v2",
		"bad.go:5: import of os",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
