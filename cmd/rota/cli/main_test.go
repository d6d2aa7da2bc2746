package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"github.com/rota-scheduler/rota/transport/api"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// present is when the tests take place.
var present = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var errAgentUsage = errors.New("agent: bad configuration")

// newRoot is the command tree with a clock that stands still.
func newRoot() *cobra.Command {
	a := &app{now: func() time.Time { return present }, version: api.Version{Version: "1.2.3", Commit: "0123456789abcdef", Go: "go1.26"}}
	agent := &cobra.Command{Use: "agent", Short: "Run a node", RunE: func(*cobra.Command, []string) error {
		return fmt.Errorf("%w: no data dir", errAgentUsage)
	}}
	agent.Flags().String("name", "", "the node's name")
	return a.root(agent)
}

// result is what a person, or a script, sees of a command.
type result struct {
	code           int
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("exit %d\n-- stdout --\n%s-- stderr --\n%s", r.code, r.stdout, r.stderr)
}

// execute runs the program with these arguments.
func execute(ctx context.Context, stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := Main(ctx, newRoot(), args, strings.NewReader(stdin), &stdout, &stderr, errAgentUsage)
	return result{code, stdout.String(), stderr.String()}
}

// serve starts a fake agent with these handlers, by "METHOD /path", and makes it
// the one that commands talk to.
func serve(t *testing.T, handlers map[string]http.HandlerFunc) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, h := range handlers {
		mux.HandleFunc(pattern, h)
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	t.Setenv(addrVariable, srv.URL)
	return srv
}

// answer is a handler that gives one answer.
func answer(status int, v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(api.HeaderIndex, "42")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
}

func refuse(status int, code, message string, diagnostics ...api.Diagnostic) http.HandlerFunc {
	return answer(status, api.Error{Error: api.ErrorBody{Code: code, Message: message, Diagnostics: diagnostics}})
}

// golden compares with testdata/NAME.golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "_")+".golden")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", path, diff)
	}
}
