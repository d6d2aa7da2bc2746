package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/cmd/rota/agent/raftnode"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a proposer over a log in memory, whose writes wait for the test.
type bench struct {
	*proposer
	t     *testing.T
	store *fsm.Store
	leads bool
	stop  context.CancelFunc
	done  chan struct{}

	mu      sync.Mutex
	entries [][]byte
	under   int // entries under way
	most    int
	release chan error // one for each write
}

// newBench starts a proposer; call it inside a bubble.
func newBench(t *testing.T) *bench {
	b := &bench{t: t, leads: true, done: make(chan struct{}), release: make(chan error)}
	b.store = fsm.NewStore(func(err error) { t.Error(err) })
	b.proposer = newProposer(func() bool { return b.leads }, func(op fsm.Opcode) error { return b.store.Read().Settings().CheckFormat(op) }, b.write)
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	go func() {
		defer close(b.done)
		if err := b.run(ctx); err != nil {
			t.Error(err)
		}
	}()
	synctest.Wait()
	return b
}

func (b *bench) end() {
	b.stop()
	<-b.done
}

func (b *bench) write(ctx context.Context, entry []byte) (raftnode.Applied, error) {
	b.mu.Lock()
	b.entries = append(b.entries, entry)
	index := uint64(len(b.entries))
	b.under++
	b.most = max(b.most, b.under)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.under--
		b.mu.Unlock()
	}()
	select {
	case err := <-b.release:
		if err != nil {
			return raftnode.Applied{}, err
		}
	case <-ctx.Done():
		return raftnode.Applied{}, fmt.Errorf("%w: %w", raftnode.ErrUnknownFate, ctx.Err())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return raftnode.Applied{Index: index, Response: b.store.Apply(&raft.Log{Index: index, Type: raft.LogCommand, Data: entry})}, nil
}

type answer struct {
	value any
	index uint64
	err   error
}

// propose proposes on a goroutine of its own, so that the test may go on.
func (b *bench) propose(ctx context.Context, op fsm.Opcode, command any) <-chan answer {
	ch := make(chan answer, 1)
	go func() {
		value, index, err := b.Propose(ctx, op, command)
		ch <- answer{value, index, err}
	}()
	synctest.Wait()
	return ch
}

func (b *bench) register(ctx context.Context, id string) <-chan answer {
	return b.propose(ctx, fsm.OpRegisterNode, fsm.RegisterNode{Node: fsm.Node{ID: id, Name: id}})
}

func (b *bench) written() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.entries)
}

func onBench(t *testing.T, test func(t *testing.T, b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.end()
		test(t, b)
	})
}

func TestCommandsInFlightShareAnEntry(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		ctx := context.Background()
		first := b.register(ctx, "n0")
		var rest []<-chan answer
		for i := range 51 {
			rest = append(rest, b.register(ctx, fmt.Sprintf("n%d", i+1)))
		}
		bad := b.propose(ctx, fsm.OpCancelRun, fsm.CancelRun{ID: "none"})
		if n := b.written(); n != 1 {
			t.Fatalf("%d entries are under way, want one", n)
		}
		for range 2 {
			b.release <- nil
			synctest.Wait()
		}
		if a := <-first; a.err != nil || a.index != 1 {
			t.Errorf("first answer: %+v", a)
		}
		for i, ch := range rest {
			if a := <-ch; a.err != nil || a.index != 2 {
				t.Errorf("answer %d: %+v", i, a)
			}
		}
		if a := <-bad; !errors.Is(a.err, fsm.ErrNotFound) { // a refusal touches no other
			t.Errorf("refusal: %+v", a)
		}
		if n := b.written(); n != 2 || b.most != 1 {
			t.Errorf("%d entries, %d at once", n, b.most)
		}
		for i := range 52 {
			if b.store.Read().Node(fmt.Sprintf("n%d", i)) == nil {
				t.Errorf("node %d is not in the store", i)
			}
		}
	})
}

// TestACrowdSharesEntries: while commands come one by one each has an entry at once;
// after an entry of several the next waits a moment for more.
func TestACrowdSharesEntries(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		ctx := context.Background()
		b.register(ctx, "n0")
		for i := range crowd {
			b.register(ctx, fmt.Sprintf("n%d", i+1))
		}
		for range 2 {
			b.release <- nil
			synctest.Wait()
		}
		b.register(ctx, "a")
		time.Sleep(linger - 1)
		b.register(ctx, "b")
		if n := b.written(); n != 2 {
			t.Fatalf("%d entries, want the two before the crowd lingers", n)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if n := b.written(); n != 3 {
			t.Fatalf("%d entries, want a third", n)
		}
		b.release <- nil
		synctest.Wait()
		for _, id := range []string{"a", "b"} {
			if b.store.Read().Node(id) == nil {
				t.Errorf("%s is not in the third entry", id)
			}
		}
		b.register(ctx, "c") // there is no crowd any more
		if n := b.written(); n != 4 {
			t.Errorf("%d entries, want a fourth at once", n)
		}
		b.release <- nil
	})
}

func TestEntriesAreBounded(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		ctx := context.Background()
		b.register(ctx, "n0")
		const n = 2*maxBatch + 10
		for i := range n {
			go b.Propose(ctx, fsm.OpRegisterNode, fsm.RegisterNode{Node: fsm.Node{ID: fmt.Sprintf("n%d", i), Name: fmt.Sprintf("n%d", i)}})
		}
		synctest.Wait()
		for range 1 + 3 {
			b.release <- nil
			synctest.Wait()
		}
		if got := b.written(); got != 1+3 {
			t.Errorf("%d entries for %d commands", got, n)
		}
	})
}

func TestALargeCommand(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		big := fsm.RegisterNode{Node: fsm.Node{ID: "n1", Name: "n1", Version: string(make([]byte, fsm.MaxCommandBytes))}}
		if a := <-b.propose(context.Background(), fsm.OpRegisterNode, big); !errors.Is(a.err, ErrTooLarge) {
			t.Errorf("%+v", a)
		}
		if b.written() != 0 {
			t.Error("it was written")
		}
	})
}

func TestFates(t *testing.T) {
	disk := errors.New("disk on fire")
	for _, tt := range []struct {
		name    string
		err     error
		unknown bool
	}{
		{"surely not in the log", fmt.Errorf("%w: %w", raftnode.ErrNotApplied, disk), false},
		{"unknown", fmt.Errorf("%w: %w", raftnode.ErrUnknownFate, disk), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onBench(t, func(t *testing.T, b *bench) {
				ch := b.register(context.Background(), "n1")
				b.release <- tt.err
				a := <-ch
				unknown := errors.Is(a.err, transport.ErrUnknownFate) && errors.Is(a.err, scheduling.ErrUnknownFate)
				if a.err == nil || unknown != tt.unknown || errors.Is(a.err, transport.ErrNoLeader) == tt.unknown {
					t.Errorf("%v", a.err)
				}
				if !errors.Is(a.err, disk) {
					t.Errorf("the cause is lost: %v", a.err)
				}
			})
		})
	}
}

func TestNoLeaderTakesNothing(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		b.leads = false
		if a := <-b.register(context.Background(), "n1"); !errors.Is(a.err, transport.ErrNoLeader) {
			t.Errorf("%+v", a)
		}
	})
}

// A caller that gave up while its command was queued adds nothing to the log; one
// whose command is being written does not know its fate.
func TestCancelledCallers(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		written := b.register(ctx, "n0")
		b.register(context.Background(), "n1")
		queued := b.register(ctx, "n2")
		cancel()
		synctest.Wait()
		for name, ch := range map[string]<-chan answer{"being written": written, "queued": queued} {
			if a := <-ch; !errors.Is(a.err, scheduling.ErrUnknownFate) || !errors.Is(a.err, context.Canceled) {
				t.Errorf("%s: %+v", name, a)
			}
		}
		b.release <- nil
		b.release <- nil
		synctest.Wait()
		last := b.register(context.Background(), "n3")
		b.release <- nil
		if a := <-last; a.err != nil {
			t.Fatal(a.err)
		}
		if b.store.Read().Node("n2") != nil {
			t.Error("a command whose caller had given up reached the log")
		}
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		b.register(ctx, "n0")
		command := fsm.RegisterNode{Node: fsm.Node{ID: "n1", Name: "n1"}}
		for range maxQueued {
			go b.Propose(ctx, fsm.OpRegisterNode, command)
		}
		synctest.Wait()
		late, giveUp := context.WithCancel(ctx)
		ch := b.propose(late, fsm.OpRegisterNode, command)
		giveUp()
		if a := <-ch; !errors.Is(a.err, transport.ErrNoLeader) || errors.Is(a.err, scheduling.ErrUnknownFate) {
			t.Errorf("%+v", a)
		}
	})
}

func TestStopAnswersEveryone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var answers []<-chan answer
		for i := range 10 {
			answers = append(answers, b.register(context.Background(), fmt.Sprintf("n%d", i)))
		}
		b.end()
		for i, ch := range answers {
			a := <-ch
			if a.err == nil {
				t.Errorf("answer %d: %+v", i, a)
			}
			if unknown := errors.Is(a.err, scheduling.ErrUnknownFate); unknown != (i == 0) {
				t.Errorf("answer %d: %v", i, a.err)
			}
		}
	})
}
