package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/dev"
	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

const (
	addrVariable = "ROTA_ADDR"
	defaultAddr  = "http://127.0.0.1:" + api.DefaultPort
)

// Forms of output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// app is what the commands share.
type app struct {
	addr      string
	namespace string
	output    string
	version   api.Version
	now       func() time.Time
}

// New makes the command tree. The agent command comes from outside, so that the
// command line does not link the server. The version is what "rota version"
// prints; without one it is that of the build.
func New(agentCommand *cobra.Command, version ...string) *cobra.Command {
	a := &app{now: time.Now, version: BuildVersion(version...)}
	return a.root(agentCommand)
}

// Main runs the command tree, once, with these arguments and streams, and returns the
// exit code. It returns once everything that the command started has ended;
// cancelling ctx makes it end early. An error that is one of usageErrors counts
// as bad usage: they are those of the commands from outside.
func Main(ctx context.Context, root *cobra.Command, args []string,
	stdin io.Reader, stdout, stderr io.Writer, usageErrors ...error,
) int {
	root.SetArgs(append([]string{}, args...)) // nil would mean the process's own
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.InitDefaultCompletionCmd() // not before: it keeps the stream that it finds
	checkHelp(root)
	markUsageErrors(root)
	err := root.ExecuteContext(ctx)
	if err != nil {
		report(stderr, err)
	}
	return exitCode(err, usageErrors)
}

func (a *app) root(agentCommand *cobra.Command) *cobra.Command {
	root := &cobra.Command{
		Use:   "rota",
		Short: "A job scheduler for a cluster of machines",
		Long: `rota runs jobs on a cluster: every machine runs "rota agent", and jobs are
files that "rota apply" hands to any of them. "rota dev" shows it on one machine.`,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return a.checkFlags(cmd) }
	flags := root.PersistentFlags()
	flags.StringVar(&a.addr, "addr", "", "address of an agent (default $"+addrVariable+" or "+defaultAddr+")")
	flags.StringVar(&a.namespace, "namespace", fsm.DefaultNamespace, "namespace of the jobs")
	flags.StringVarP(&a.output, "output", "o", outputTable, "form of the output: table or json")

	if agentCommand != nil {
		root.AddCommand(agentCommand)
	}
	root.AddCommand(
		dev.Command(&a.namespace),
		a.applyCommand(), a.planCommand(), a.validateCommand(), a.fmtCommand(), a.cronCommand(),
		a.jobsCommand(), a.jobCommand(), a.runCommand(), a.pauseCommand(), a.resumeCommand(), a.deleteCommand(),
		a.runsCommand(), a.firesCommand(), a.statusCommand(), a.logsCommand(), a.cancelCommand(), a.retryCommand(),
		a.notificationsCommand(), a.nodesCommand(), a.nodeCommand(), a.settingsCommand(), a.autoscaleCommand(), a.poolsCommand(), a.leaderCommand(), a.versionCommand(),
	)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, err) })
	return root
}

func (a *app) checkFlags(cmd *cobra.Command) error {
	if a.output != outputTable && a.output != outputJSON {
		return usage(cmd, fmt.Errorf("--output %q: want table or json", a.output))
	}
	if a.namespace == api.AllNamespaces {
		return nil
	}
	if err := fsm.CheckName(a.namespace); err != nil {
		return usage(cmd, fmt.Errorf("--namespace: %w", err))
	}
	return nil
}

// client makes the client for the address that the user named.
func (a *app) client(cmd *cobra.Command) (*api.Client, error) {
	addr := a.addr
	if addr == "" {
		addr = os.Getenv(addrVariable)
	}
	if addr == "" {
		addr = defaultAddr
	}
	c, err := api.NewClient(addr)
	if err != nil {
		return nil, usage(cmd, err)
	}
	return c, nil
}

// withClient makes the body of a command that needs an agent to ask. What can be
// checked without one belongs in PreRunE.
func (a *app) withClient(run func(cmd *cobra.Command, client *api.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		client, err := a.client(cmd)
		if err != nil {
			return err
		}
		defer client.Close()
		return run(cmd, client, args)
	}
}

func (a *app) key(name string) fsm.JobKey { return fsm.JobKey{Namespace: a.namespace, Name: name} }

// show prints v as JSON, or what text writes, as the user asked.
func (a *app) show(cmd *cobra.Command, v any, text func(w io.Writer, screen render.Screen) error) error {
	out := cmd.OutOrStdout()
	if a.output != outputJSON {
		return text(out, render.ScreenOf(out))
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// showTable is show for a listing.
func (a *app) showTable(cmd *cobra.Command, v any, table func() *render.Table) error {
	return a.show(cmd, v, func(w io.Writer, screen render.Screen) error { return table().Write(w, screen) })
}

// say prints a line about what was done, or v as JSON.
func (a *app) say(cmd *cobra.Command, v any, format string, args ...any) error {
	return a.show(cmd, v, func(w io.Writer, _ render.Screen) error {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		return err
	})
}

// BuildVersion returns the version that was given, if it was, else the one that
// the build recorded.
func BuildVersion(given ...string) api.Version {
	v := api.Version{Version: "devel", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if ok {
		if info.Main.Version != "" && info.Main.Version != "(devel)" {
			v.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Commit = s.Value
			}
		}
	}
	if len(given) > 0 && given[0] != "" {
		v.Version = given[0]
	}
	return v
}
