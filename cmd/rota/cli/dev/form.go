package dev

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// Bounds of the start.
const (
	formWithin  = 30 * time.Second
	applyWithin = 15 * time.Second
)

var errNoLeader = errors.New("the nodes found no leader")

// waitLeader returns once some node knows a leader.
func waitLeader(ctx context.Context, clients []*api.Client) error {
	ctx, cancel := context.WithTimeoutCause(ctx, formWithin, fmt.Errorf("%w within %s", errNoLeader, formWithin))
	defer cancel()
	for i := 0; ; i++ {
		ask, stop := context.WithTimeout(ctx, askWithin)
		_, err := clients[i%len(clients)].Leader(ask)
		stop()
		if err == nil {
			return nil
		}
		if !sleep(ctx, again) {
			return context.Cause(ctx)
		}
	}
}

// applyJobs puts the jobs, again where that failed in a way that passes by
// itself. The same jobs applied twice change nothing.
func applyJobs(ctx context.Context, clients []*api.Client, jobs api.PutJobs) ([]fsm.PutResult, error) {
	deadline := time.Now().Add(applyWithin)
	for i := 0; ; i++ {
		list, err := clients[i%len(clients)].Put(ctx, jobs, false)
		if err == nil {
			return list.Items, nil
		}
		var status *api.StatusError
		refused := errors.As(err, &status) && status.Status >= 400 && status.Status < 500 && status.Code != api.CodeUpgrading // its nodes meet in a moment
		if refused || time.Now().After(deadline) || !sleep(ctx, again) {
			return nil, fmt.Errorf("applying the jobs: %w", err)
		}
	}
}
