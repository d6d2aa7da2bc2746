package fsm

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/raft"
)

// Store is the replicated state of one node. It is a raft.FSM.
type Store struct {
	state atomic.Pointer[state]
	fatal func(error)
	// fault is the first entry that could not be applied. From then on nothing is
	// applied and no snapshot is made: it would hide the entry for ever. Only
	// raft's goroutine touches it.
	fault error
}

// state is one life of the database: a restore replaces it whole.
type state struct {
	db *memdb.MemDB
	// whole is held for writing while an entry is applied, and for reading while
	// a view is taken: a view shows whole entries, exactly those up to its index.
	whole sync.RWMutex
	// index of the last entry applied.
	index atomic.Uint64
	// graphs and draft belong to Apply.
	graphs graphs
	draft  *draft
	// abandoned is closed when a restore has replaced this state.
	abandoned chan struct{}
}

// NewStore returns an empty store. fatal is called, from Apply and at most once,
// with the fault after which this replica cannot go on: it should end the
// process. The store refuses every later entry and snapshot by itself.
func NewStore(fatal func(error)) *Store {
	s := &Store{fatal: fatal}
	s.state.Store(newState())
	return s
}

func newState() *state {
	db, err := memdb.NewMemDB(schema())
	if err != nil {
		panic("fsm: " + err.Error()) // the schema is a constant of this package
	}
	return &state{db: db, draft: newDraft(), abandoned: make(chan struct{})}
}

// Index returns the index of the last applied entry. Any goroutine may call it.
func (s *Store) Index() uint64 { return s.state.Load().index.Load() }

// Read returns a view of the state as it is now: whole entries, exactly those up
// to the view's index. Any goroutine may call it; it waits for the entry that is
// being applied.
func (s *Store) Read() *View { return s.state.Load().view(nil) }

// Watch returns a view that remembers what is read through it; [View.Changed]
// then tells of changes. A restore counts as a change of everything.
func (s *Store) Watch() *View {
	st := s.state.Load()
	ws := memdb.NewWatchSet()
	ws.Add(st.abandoned)
	return st.view(ws)
}

func (st *state) view(ws memdb.WatchSet) *View {
	st.whole.RLock()
	defer st.whole.RUnlock()
	return &View{txn: st.db.Txn(false), watch: ws, index: st.index.Load()}
}

// Result is what Apply answers for one command.
type Result struct {
	Value any
	Err   error
}

// BatchResult is what Apply answers for a Batch, in the order of its commands.
type BatchResult []Result

// Apply applies one log entry. It is called by raft, from one goroutine.
func (s *Store) Apply(entry *raft.Log) any {
	if entry.Type != raft.LogCommand {
		return nil
	}
	if s.fault != nil {
		return Result{Err: s.fault}
	}
	answer := s.applyEntry(s.state.Load(), entry)
	if s.fault != nil {
		s.fatal(s.fault) // outside of the lock: it may look at the state
	}
	return answer
}

func (s *Store) applyEntry(st *state, entry *raft.Log) any {
	st.whole.Lock()
	defer st.whole.Unlock()
	st.draft.begin(st.db.Txn(false))
	answer := s.applyData(st, entry.Index, entry.Data)
	st.draft.commit(st.db)
	if s.fault == nil {
		st.index.Store(entry.Index)
	}
	return answer
}

func (s *Store) applyData(st *state, index uint64, data []byte) any {
	e, err := openEntry(data)
	if err != nil {
		return s.fail(index, err)
	}
	if e.op != OpBatch || e.version > commandVersion {
		return s.applyOne(st, index, data)
	}
	var batch Batch
	if err := decode(e.body, &batch); err != nil {
		return s.fail(index, fmt.Errorf("%w: batch: %w", ErrMalformed, err))
	}
	results := make(BatchResult, len(batch.Commands))
	for i, command := range batch.Commands {
		results[i] = s.applyOne(st, index, command)
	}
	return results
}

// applyOne applies one command. A refusal leaves nothing of it behind.
func (s *Store) applyOne(st *state, index uint64, command []byte) Result {
	if s.fault != nil {
		return Result{Err: s.fault} // an earlier command of the same batch
	}
	e, err := openEntry(command)
	if err != nil {
		return s.fail(index, err)
	}
	d, known := dispatch[e.op]
	if !known || e.version > commandVersion {
		if e.ignorable {
			return Result{}
		}
		return s.fail(index, fmt.Errorf("%w: opcode %d version %d; install the version of rota that wrote it", ErrUnknownOpcode, e.op, e.version))
	}
	c := &change{View{txn: st.draft.base, index: index, draft: st.draft}, &st.graphs}
	value, err := d.apply(c, e.body)
	if err != nil {
		st.draft.drop()
		if errors.Is(err, ErrMalformed) {
			return s.fail(index, err)
		}
		return Result{Err: err}
	}
	st.draft.keep()
	return Result{Value: value}
}

func (s *Store) fail(index uint64, err error) Result {
	s.fault = fmt.Errorf("cannot apply log entry %d: %w", index, err)
	return Result{Err: s.fault}
}

// Snapshot returns the state as it is now; raft persists it while Apply goes on.
func (s *Store) Snapshot() (raft.FSMSnapshot, error) {
	if s.fault != nil {
		return nil, s.fault
	}
	st := s.state.Load()
	return &snapshot{st.view(nil)}, nil
}

// Restore replaces the whole state. Readers of the old one are woken.
func (s *Store) Restore(r io.ReadCloser) error {
	defer r.Close()
	st := newState()
	if err := readSnapshot(r, st); err != nil {
		return fmt.Errorf("restoring a snapshot: %w", err)
	}
	old := s.state.Swap(st)
	close(old.abandoned)
	return nil
}
