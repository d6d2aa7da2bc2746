// Command rota is a job scheduler for a cluster of machines.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/rota-scheduler/rota/cmd/rota/agent"
	"github.com/rota-scheduler/rota/cmd/rota/cli"
)

// version is set by the release build.
var version string

func main() {
	if agent.IsInit(os.Args) { // before anything else: a job waits for it
		os.Exit(agent.Init())
	}
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	version := cli.BuildVersion(version).Version
	root := cli.New(agent.Command(version), version)
	return cli.Main(ctx, root, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, agent.ErrBadConfig)
}
