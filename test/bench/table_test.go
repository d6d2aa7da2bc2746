package bench

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/rota-scheduler/rota/test/cluster"
)

// row is a line of the table that closes a run of the benchmarks.
type row struct {
	what, bar, measured string
	// floor is the best that this machine could do, measured in the same run, and
	// ratio what was measured beside it. What no start, sync or round trip bounds
	// has neither.
	floor, ratio string
}

// results are the rows so far, by which the tests add to them.
var results struct {
	mu      sync.Mutex
	machine string
	rows    []row
}

func addRow(r row) {
	results.mu.Lock()
	defer results.mu.Unlock()
	results.rows = append(results.rows, r)
}

// result adds a row, and logs it at once.
func result(t *testing.T, r row) {
	t.Helper()
	t.Logf("%s: %s (bar: %s) %s %s", r.what, r.measured, r.bar, r.floor, r.ratio)
	addRow(r)
}

func setMachine(text string) {
	results.mu.Lock()
	defer results.mu.Unlock()
	results.machine = text
}

// printTable writes what the tests have added, in their order.
func printTable() {
	if len(results.rows) == 0 {
		return
	}
	fmt.Printf("\n%s\n\n", results.machine)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tBAR\tMEASURED\tFLOOR\tRATIO")
	for _, r := range results.rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.what, r.bar, r.measured, r.floor, r.ratio)
	}
	if err := w.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "printing the table:", err)
	}
}

func TestMain(m *testing.M) {
	code := cluster.Main(m)
	if testing.Verbose() {
		printTable()
	}
	os.Exit(code)
}

// times says how many times the floor something took.
func times[T ~int64](measured, floor T) string {
	return fmt.Sprintf("%.2f ×", float64(measured)/float64(floor))
}
