package linear

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// Clients says what the clients of one history do.
type Clients struct {
	// APIs are the nodes that they ask.
	APIs []*api.Client
	// Jobs is how many jobs they share, Calls how many calls each makes; if it is 0,
	// as many as it can until it is stopped.
	Jobs, Calls int
	// Fresh is how long they share the same jobs before they go on to others; 0: all
	// the time. It bounds what the search for an order has to try.
	Fresh time.Duration
	// Pause is about how long each waits between two calls, Timeout how long for
	// an answer.
	Pause, Timeout time.Duration
}

// Run makes the calls of one client, and adds them to the history. Equal seeds ask
// the same. ctx ends it early.
func (c Clients) Run(ctx context.Context, h *History, client int, seed uint64) {
	r, began := rand.New(rand.NewPCG(seed, uint64(client))), time.Now()
	for i := 0; c.Calls == 0 || i < c.Calls; i++ {
		in := Input{Job: fmt.Sprintf("job-%d", r.IntN(c.Jobs)), Kind: kindOf(r.IntN(100))}
		if c.Fresh > 0 {
			in.Job += fmt.Sprintf("-%d", time.Since(began)/c.Fresh)
		}
		if in.Kind == Put {
			in.Mark = fmt.Sprintf("client %d call %d", client, i)
		}
		node := c.APIs[r.IntN(len(c.APIs))]
		c.call(ctx, h, client, node, in)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(r.Int64N(int64(2*c.Pause) + 1))):
		}
	}
}

func kindOf(percent int) Kind {
	switch {
	case percent < 45:
		return Get
	case percent < 65:
		return Put
	case percent < 77:
		return Pause
	case percent < 89:
		return Resume
	}
	return Delete
}

// call makes one call. One that surely had no effect, and a read without an
// answer, say nothing and are left out.
func (c Clients) call(ctx context.Context, h *History, client int, node *api.Client, in Input) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	began := h.begin()
	out, err := ask(ctx, node, in)
	switch code := api.ErrorCode(err); {
	case err == nil:
	case code == api.CodeNotFound:
		out = Output{}
	case in.Kind == Get, errors.Is(err, api.ErrNoServer), code == api.CodeNoLeader:
		return
	default:
		out = Output{Unknown: true}
	}
	h.end(client, began, in, out)
}

// ask makes the request. Each job has a namespace to itself, so that a listing is
// a read of one job. It has no schedule, so that it is gone as soon as it is
// deleted.
func ask(ctx context.Context, node *api.Client, in Input) (Output, error) {
	key := fsm.JobKey{Namespace: in.Job, Name: in.Job}
	switch in.Kind {
	case Put:
		list, err := node.PutJobs(ctx, []fsm.JobSpec{{
			Namespace: key.Namespace, Name: key.Name, Description: in.Mark,
			Tasks: []fsm.Task{{Name: "t", Driver: fsm.DriverNoop}},
		}}, false)
		if err != nil {
			return Output{}, err
		}
		return Output{Found: true, Version: list.Items[0].Version}, nil
	case Get:
		list, err := node.Jobs(ctx, key.Namespace, api.Page{}, api.Read{Consistent: true})
		if err != nil || len(list.Items) == 0 {
			return Output{}, err
		}
		job := list.Items[0]
		return Output{Found: true, Version: job.Version, Mark: job.Description, Paused: job.Paused}, nil
	case Delete:
		return Output{Found: true}, node.DeleteJob(ctx, key, 0)
	case Pause:
		_, err := node.PauseJob(ctx, key, 0)
		return Output{Found: true}, err
	}
	_, err := node.ResumeJob(ctx, key)
	return Output{Found: true}, err
}
