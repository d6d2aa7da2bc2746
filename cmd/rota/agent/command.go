package agent

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rota-scheduler/rota/scheduling/executor/supervisor"
)

// Command returns `rota agent`. It runs until its context ends.
func Command(version string) *cobra.Command {
	var cfg Config
	var file string
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run a node of the cluster",
		Long: `Run a node of the cluster until it is told to stop (SIGTERM or Ctrl-C; a second
one stops at once). It starts an agent as its child, and starts it again should
it crash, which no job notices. SIGHUP replaces that agent by the program that is
on disk then, with the settings of then: an upgrade that no job notices either.

Three machines form a cluster by starting, on each, with its own address:

  rota agent --data-dir /var/lib/rota --bind 192.0.2.11 \
    --bootstrap-expect 3 --join 192.0.2.11 --join 192.0.2.12 --join 192.0.2.13

A node that joins later leaves --bootstrap-expect out.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" {
				if err := cfg.loadFile(file, cmd.Flags()); err != nil {
					return err
				}
			}
			if supervisor.Supervised() {
				return runSupervised(cmd, cfg, version)
			}
			return supervise(cmd, cfg)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "read settings from this HCL `FILE`; flags win over it")
	cfg.addFlags(cmd.Flags())
	return cmd
}

// addFlags adds the flags that set the fields of a Config, with their defaults.
func (cfg *Config) addFlags(f *pflag.FlagSet) {
	f.StringVar(&cfg.Name, "name", "", "the node's name, unique in the cluster (default: the host name)")
	f.StringVar(&cfg.DataDir, "data-dir", "", "folder for this node's state")
	f.StringVar(&cfg.Bind, "bind", "127.0.0.1", "`IP` to listen on")
	f.StringVar(&cfg.Advertise, "advertise", "", "`IP` that the other nodes reach (default: --bind)")
	f.IntVar(&cfg.HTTPPort, "http-port", DefaultHTTPPort, "port of the API and of calls between nodes")
	f.IntVar(&cfg.RPCPort, "rpc-port", DefaultRPCPort, "port of raft")
	f.IntVar(&cfg.GossipPort, "gossip-port", DefaultGossipPort, "port of gossip, TCP and UDP")
	f.StringArrayVar(&cfg.Join, "join", nil, "`ADDR` (IP or IP:port) of a member's gossip; repeatable; itself is fine")
	f.IntVar(&cfg.BootstrapExpect, "bootstrap-expect", 0, "number of nodes that found a new cluster together")
	f.StringVar(&cfg.Region, "region", "", "region of this node")
	f.StringVar(&cfg.Zone, "zone", "", "zone of this node within its region")
	f.StringToStringVar(&cfg.Labels, "label", nil, "label of this node as `k=v`; repeatable")
	f.Var(capacityFlag{&cfg.Capacity}, "capacity", "weight of the work that may run here at once, or auto: by cores and memory (default 100)")
	f.StringVar(&cfg.LogLevel, "log-level", "info", "debug, info, warn or error")
	f.DurationVar(&cfg.OutputMaxAge, "output-max-age", defaultOutputAge, "how long output of jobs is kept on this node")
	cfg.OutputMaxSize = defaultOutputSize
	f.Var((*sizeFlag)(&cfg.OutputMaxSize), "output-max-size", "how much output of jobs is kept on this node; the oldest goes first")
	f.BoolVar(&cfg.LeaveOnStop, "leave-on-stop", false, "leave the cluster for good when stopped")
	f.DurationVar(&cfg.Drain, "drain", 0, "when stopped, take no more work and let what runs go on for up to this `SPAN`")
	f.BoolVar(&cfg.Dev, "dev", false, "run one node that is a cluster by itself, its data in a temporary folder")
}
