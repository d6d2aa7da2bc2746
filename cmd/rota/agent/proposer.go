package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rota-scheduler/rota/cmd/rota/agent/raftnode"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/transport"
)

// Bounds of the proposer.
const (
	// queued commands; more callers wait.
	maxQueued = 4096
	// one entry of the log.
	maxBatch      = 512
	maxBatchBytes = 1 << 20
	// crowd is how many commands an entry must have had for the next to wait linger
	// for more: they come faster than entries, each of which costs every node a write,
	// two syncs and several wakes.
	crowd  = 5
	linger = 3 * time.Millisecond
)

// ErrTooLarge: a command that does not fit into an entry of the log.
var ErrTooLarge = errors.New("too large for one entry of the log; split it")

// proposer turns the commands that are in flight into few entries of the log, so
// that each costs a share of an fsync. Propose may be called concurrently.
type proposer struct {
	apply func(ctx context.Context, entry []byte) (raftnode.Applied, error)
	leads func() bool
	// allowed refuses a command that other nodes could not apply.
	allowed func(fsm.Opcode) error
	queue   chan *proposal
}

type proposal struct {
	ctx   context.Context
	entry []byte
	done  chan outcome // of one: the answer never blocks
}

type outcome struct {
	result fsm.Result
	index  uint64
	err    error
}

func newProposer(
	leads func() bool, allowed func(fsm.Opcode) error, apply func(context.Context, []byte) (raftnode.Applied, error),
) *proposer {
	return &proposer{apply: apply, leads: leads, allowed: allowed, queue: make(chan *proposal, maxQueued)}
}

// Propose commits a command and returns what applying it answered. Its error is
// a refusal of fsm (fsm.ErrFormat: nothing was written), transport.ErrNoLeader (the command is surely not in the log),
// or both transport.ErrUnknownFate and scheduling.ErrUnknownFate.
func (p *proposer) Propose(ctx context.Context, op fsm.Opcode, command any) (any, uint64, error) {
	if !p.leads() {
		return nil, 0, transport.ErrNoLeader
	}
	if err := p.allowed(op); err != nil {
		return nil, 0, err
	}
	prop := &proposal{ctx: ctx, entry: fsm.Encode(op, command), done: make(chan outcome, 1)}
	if len(prop.entry) > fsm.MaxCommandBytes {
		return nil, 0, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(prop.entry), fsm.MaxCommandBytes)
	}
	select {
	case p.queue <- prop:
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("%w: %w", transport.ErrNoLeader, ctx.Err())
	}
	select {
	case o := <-prop.done:
		if o.err != nil {
			return nil, 0, o.err
		}
		return o.result.Value, o.index, o.result.Err
	case <-ctx.Done():
		return nil, 0, unknownFate(ctx.Err())
	}
}

func unknownFate(err error) error {
	return fmt.Errorf("%w: %w: %w", transport.ErrUnknownFate, scheduling.ErrUnknownFate, err)
}

// run works until ctx ends, then answers what is still queued. While one entry is under
// way the next gathers: with two at a time each would be about half as full, and cost
// every node as much.
func (p *proposer) run(ctx context.Context) error {
	defer p.drain()
	var batch []*proposal
	for ctx.Err() == nil {
		if batch = p.gather(ctx, len(batch) >= crowd); len(batch) > 0 {
			p.commit(ctx, batch)
		}
	}
	return nil
}

func (p *proposer) drain() {
	for {
		select {
		case prop := <-p.queue:
			prop.done <- outcome{err: transport.ErrNoLeader}
		default:
			return
		}
	}
}

// gather waits for one command and takes what else is queued by then, or a moment
// later if they crowd. It leaves out commands whose caller has given up: a term that
// ended feeds no newer one.
func (p *proposer) gather(ctx context.Context, crowded bool) []*proposal {
	var batch []*proposal
	size := 0
	take := func(prop *proposal) {
		if prop.ctx.Err() != nil {
			prop.done <- outcome{err: transport.ErrNoLeader}
			return
		}
		batch = append(batch, prop)
		size += len(prop.entry)
	}
	select {
	case <-ctx.Done():
		return nil
	case prop := <-p.queue:
		take(prop)
	}
	if crowded {
		select {
		case <-ctx.Done():
		case <-time.After(linger):
		}
	}
	for len(batch) < maxBatch && size < maxBatchBytes {
		select {
		case prop := <-p.queue:
			take(prop)
		default:
			return batch
		}
	}
	return batch
}

// commit writes a batch as one entry and hands out the answers.
func (p *proposer) commit(ctx context.Context, batch []*proposal) {
	entry := batch[0].entry
	if len(batch) > 1 {
		commands := make([][]byte, len(batch))
		for i, prop := range batch {
			commands[i] = prop.entry
		}
		entry = fsm.Encode(fsm.OpBatch, fsm.Batch{Commands: commands})
	}
	applied, err := p.apply(ctx, entry)
	switch {
	case errors.Is(err, raftnode.ErrUnknownFate):
		err = unknownFate(err)
	case err != nil:
		err = fmt.Errorf("%w: %w", transport.ErrNoLeader, err)
	}
	results, ok := applied.Response.(fsm.BatchResult)
	for i, prop := range batch {
		o := outcome{index: applied.Index, err: err}
		switch {
		case err != nil:
		case ok && i < len(results):
			o.result = results[i]
		default:
			o.result, _ = applied.Response.(fsm.Result)
		}
		prop.done <- o
	}
}
