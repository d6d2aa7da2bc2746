package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/user"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) nodeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Say what a node may be used for",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.nodeOutCommand("drain", "Start nothing more on a node; what runs there goes on to its end", fsm.NodeDraining),
		a.nodeOutCommand("maintenance", "Take a node out for work on the machine", fsm.NodeMaintenance),
		a.nodeOutCommand("standby", "Keep a node as a reserve", fsm.NodeStandby),
		&cobra.Command{
			Use:   "ready NODE",
			Short: "Use a node again",
			Args:  cobra.ExactArgs(1),
			RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
				return a.setNodeStatus(cmd, client, args[0], api.NodeStatus{Status: fsm.NodeReady}, false)
			}),
		},
	)
	return cmd
}

// nodeOutCommand is one of the commands that take a node out of use.
func (a *app) nodeOutCommand(verb, short string, status fsm.NodeStatus) *cobra.Command {
	body := api.NodeStatus{Status: status}
	var deadline time.Duration
	var wait bool
	cmd := &cobra.Command{
		Use:   verb + " NODE",
		Short: short,
		Long: short + `.

Work that is only planned for the node is taken back at once and goes elsewhere.
With --deadline, what still runs there after that time is ended and started
elsewhere, as after the loss of a node: a task with on_node_loss = "fail" fails.
--force is a deadline of now. Without either, work runs to its end.`,
		Args: cobra.ExactArgs(1),
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			if deadline != 0 && body.Force {
				return usagef(cmd, "--deadline and --force: want one of them; --force ends work at once")
			}
			if deadline < 0 || (cmd.Flags().Changed("deadline") && deadline == 0) {
				return usagef(cmd, "--deadline %s: want a positive span such as 10m; --force ends work at once", deadline)
			}
			return nil
		},
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			body.Deadline = fsm.Duration(deadline)
			return a.setNodeStatus(cmd, client, args[0], body, wait)
		}),
	}
	flags := cmd.Flags()
	flags.DurationVar(&deadline, "deadline", 0, "let work run on for this long, such as 10m")
	flags.BoolVar(&body.Force, "force", false, "end the work that runs there at once")
	flags.BoolVar(&wait, "wait", false, "return when nothing is left on the node")
	return cmd
}

func (a *app) setNodeStatus(cmd *cobra.Command, client *api.Client, name string, body api.NodeStatus, wait bool) error {
	body.By = whoami()
	node, err := client.SetNodeStatus(cmd.Context(), name, body)
	if err != nil {
		return err
	}
	if wait {
		if node, err = waitEmpty(cmd.Context(), client, node); err != nil {
			return err
		}
	}
	if held := node.Running + node.Armed; held > 0 && node.SetStatus != fsm.NodeReady {
		return a.say(cmd, node, "Node %s is %s; %d attempts are still there.", node.Name, node.SetStatus, held)
	}
	return a.say(cmd, node, "Node %s is %s.", node.Name, cmp.Or(node.SetStatus, node.Status))
}

// emptyWait is how long one look for an empty node blocks.
const emptyWait = 10 * time.Second

// waitEmpty returns the node once the log binds no attempt to it.
func waitEmpty(ctx context.Context, client *api.Client, node api.Node) (api.Node, error) {
	var after uint64
	for node.Running+node.Armed > 0 {
		list, err := client.Nodes(ctx, api.Page{PerPage: pageSize}, api.Read{After: after, Wait: emptyWait})
		if err != nil {
			return node, fmt.Errorf("waiting for node %s to be empty: %w", node.Name, err)
		}
		after = list.Index
		i := slices.IndexFunc(list.Items, func(n api.Node) bool { return n.ID == node.ID })
		if i < 0 {
			return node, fmt.Errorf("node %s is gone", node.Name)
		}
		node = list.Items[i]
	}
	return node, nil
}

// whoami is who asks, as far as this machine knows: "ann@ops1".
func whoami() string {
	name := fmt.Sprint(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name[:min(len(name), fsm.MaxStatusBy)]
}
