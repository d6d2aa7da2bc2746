package sim

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// TestMixedVersions: a cluster with a node of an older version writes nothing
// that it does not know, through failovers; once it is upgraded everything may be
// written; and then no older version comes back in.
func TestMixedVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		formats := map[string]int{"n2": fsm.BaseFormat}
		c := NewCluster(t, Options{Formats: formats})
		written := func() int { return c.Nodes()[0].Store().Read().Settings().Format }
		newer := func() error {
			_, _, err := c.Leader().agent.Propose(context.Background(), fsm.OpRetryRun+1, struct{}{})
			return err
		}
		c.Run(30 * time.Second)
		if err := newer(); !errors.Is(err, fsm.ErrFormat) || !strings.Contains(err.Error(), "n2") {
			t.Fatalf("a newer command in a mixed cluster: %v", err)
		}
		leader := c.Leader()
		if leader.Name == "n2" { // the old version may well lead
			leader = c.Nodes()[2]
		}
		leader.Kill()
		c.Wait("another leader", 30*time.Second, func() bool { return c.Leader() != nil })
		leader.Start()
		c.Wait("all are back", 60*time.Second, c.settled)
		if got := written(); got != fsm.BaseFormat {
			t.Fatalf("format %d is written while n2 knows %d", got, fsm.BaseFormat)
		}

		delete(formats, "n2")
		c.Nodes()[1].Kill()
		c.Run(5 * time.Second)
		c.Nodes()[1].Start()
		c.Wait("the newest format", 60*time.Second, func() bool { return written() == fsm.Format })
		c.Wait("all are back", 60*time.Second, c.settled)

		formats["n3"] = fsm.BaseFormat
		c.Nodes()[2].Kill()
		c.Run(5 * time.Second)
		c.Nodes()[2].Start()
		c.Wait("the others go on", 60*time.Second, func() bool { return c.Leader() != nil && c.Leader().Name != "n3" })
		c.Run(30 * time.Second)
		if c.Leader().agent.Ready(c.Nodes()[2].agent.ID()) {
			t.Error("a node that does not know the log may be given work")
		}
		if got := written(); got != fsm.Format {
			t.Errorf("format %d: it went back", got)
		}
	})
}
