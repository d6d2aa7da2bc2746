package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/test/cluster"
)

// oldVariable names an older program.
const oldVariable = "ROTA_OLD_BIN"

// mixedFor is how long a cluster of two versions works.
const mixedFor = 4 * time.Second

// upgrade: a cluster of an older program is upgraded node by node under load, the
// way the manual says. The first node goes back to the old program once, and to
// the new one again, which it may as long as there are others of the old one.
func upgrade(t *testing.T, r *rand.Rand) {
	old := os.Getenv(oldVariable)
	if old == "" {
		t.Skipf("left out: %s names no older program; make chaos builds one", oldVariable)
	}
	program := filepath.Join(t.TempDir(), "rota")
	install(t, old, program)
	w := newWorld(t, r, cluster.Options{Program: program})
	order := w.upgradeOrder()
	first := order[0]
	w.reload(first, "new", cluster.Binary(t), program)
	install(t, old, program)
	w.trouble(first.Name+" is stopped and started with the old program", mixedFor, func() {
		first.Stop()
		first.Start()
	}, func() {})
	for _, n := range order {
		w.reload(n, "new", cluster.Binary(t), program)
	}
	w.judge()
}

// reload has a node's agent be of another program, its supervisor and its jobs
// going on.
func (w *world) reload(n *cluster.Node, name, from, program string) {
	w.t.Helper()
	install(w.t, from, program)
	w.trouble(n.Name+" gets the "+name+" program by SIGHUP", mixedFor, func() {
		agent := n.AgentPID()
		n.Signal(syscall.SIGHUP)
		cluster.Eventually(w.t, patience, "another agent", func() error {
			if pid := n.AgentPID(); pid == 0 || pid == agent {
				return fmt.Errorf("the agent was %d and is %d", agent, pid)
			}
			return nil
		})
	}, func() {})
}

// upgradeOrder returns the nodes, the leader last.
func (w *world) upgradeOrder() []*cluster.Node {
	w.t.Helper()
	return append(w.c.Followers(), w.c.Leader())
}

// install puts a copy of a program at a path, as another file.
func install(t *testing.T, from, path string) {
	t.Helper()
	program, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
