package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/netswitch"
	"github.com/rota-scheduler/rota/transport/api"
)

// measuredWithin is the promise: by then the nodes know which regions are near.
const measuredWithin = time.Minute

// TestRegions: three regions of one node each, 5, 50 and 120 ms apart. What is
// measured orders them rightly within a minute; work whose region is down goes to
// the nearest other one, unless it must not leave it; what an operator declares
// counts instead of what is measured.
func TestRegions(t *testing.T) {
	t.Parallel()
	network := cluster.OwnNetwork(t, 3)
	if network == nil {
		return
	}
	for pair, rtt := range map[[2]int]time.Duration{{0, 1}: 5 * time.Millisecond, {0, 2}: 50 * time.Millisecond, {1, 2}: 120 * time.Millisecond} {
		network.Set(pair[0], pair[1], netswitch.Link{Delay: rtt / 2})
	}
	names := []string{"near", "mid", "far"} // by their distance from the first
	c := cluster.New(t, cluster.Options{Network: network, NodeArgs: func(i int) []string {
		return []string{"--region", names[i]}
	}})
	began := time.Now()
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	for _, n := range c.Nodes {
		cluster.Eventually(t, measuredWithin-time.Since(began), n.Name+" to know the order of the regions", func() error { return inOrder(t, n.Client()) })
	}
	t.Logf("every node knew the order of the regions %s after the start\n%s", time.Since(began).Round(time.Second), c.CLI(c.Nodes[0], "nodes", "--rtt").Stdout)

	for _, region := range names {
		for _, policy := range []string{fsm.RegionPrefer, fsm.RegionRequire} {
			job := oneTask(policy+"-"+region, fsm.Task{Name: "main", Driver: fsm.DriverNoop})
			job.Region, job.RegionPolicy = region, policy
			put(t, c.Leader().Client(), job)
		}
	}
	for i, region := range names {
		wantOn(t, c, "prefer-"+region, c.Nodes[i].Name, "in its region")
	}
	down := func(n *cluster.Node) {
		t.Helper()
		n.Kill()
		cluster.Eventually(t, settleWithin, n.Name+" to be shown as down", func() error {
			if got := nodeNamed(t, c, n.Name); got.Status != fsm.NodeDown {
				return fmt.Errorf("it is %s", got.Status)
			}
			return nil
		})
	}
	// The far region is down: near is 50 ms from it, mid 120.
	down(c.Nodes[2])
	wantOn(t, c, "prefer-far", "n1", "the region near is nearest")
	if r := c.CLI(c.Leader(), "settings", "latency", "far", "mid", "1ms"); r.Code != 0 {
		t.Fatalf("settings latency: %s%s", r.Stdout, r.Stderr)
	}
	wantOn(t, c, "prefer-far", "n2", "the region mid is nearest")
	waits := runJob(t, c.Leader().Client(), "require-far")
	cluster.Eventually(t, settleWithin, "the reason why it waits", func() error {
		run, _, err := c.Leader().Client().Run(t.Context(), waits, api.Read{Consistent: true})
		if err != nil {
			return err
		}
		if s := onlyShard(t, run); s.State != fsm.ShardPending || !strings.Contains(s.Waiting, "not in region far") {
			return fmt.Errorf("it is %s: %q", s.State, s.Waiting)
		}
		return nil
	})
	c.Nodes[2].Start()
	c.WaitReady()
	if run := waitRun(t, c.Leader().Client(), waits); onlyShard(t, run).NodeName != "n3" {
		t.Errorf("work that must not leave its region ran on %s", onlyShard(t, run).NodeName)
	}
	down(c.Nodes[0])
	wantOn(t, c, "prefer-near", "n2", "the region mid is nearest")
}

// inOrder checks what a node says of the regions: the medians of what is measured.
func inOrder(t *testing.T, client *api.Client) error {
	rtt, err := client.RTT(t.Context())
	if err != nil {
		return err
	}
	ms := map[[2]string]float64{}
	for _, r := range rtt.Regions {
		ms[r.Regions] = r.Milliseconds
	}
	near, middle, far := ms[[2]string{"mid", "near"}], ms[[2]string{"far", "near"}], ms[[2]string{"far", "mid"}]
	if len(ms) != 3 || near >= middle || middle >= far {
		return fmt.Errorf("it says %v", ms)
	}
	return nil
}

// wantOn runs a job and checks where it ran, and the reason.
func wantOn(t *testing.T, c *cluster.Cluster, job, node, why string) {
	t.Helper()
	client := c.Leader().Client()
	shard := onlyShard(t, waitRun(t, client, runJob(t, client, job)))
	placed := shard.Current.Placed
	t.Logf("%s ran on %s: %s", job, shard.NodeName, placed)
	if shard.NodeName != node || !strings.Contains(placed, why) {
		t.Errorf("%s ran on %s (%s), want %s (%s)", job, shard.NodeName, placed, node, why)
	}
}
