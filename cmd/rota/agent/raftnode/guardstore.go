package raftnode

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// deleteChunk bounds one transaction of DeleteRange, so that appends get their
// turn while the log is compacted.
const deleteChunk = 512

// guardedLog is a raft.LogStore. Entries go in with a checksum and come out
// without.
type guardedLog struct {
	store raft.LogStore
	guard *guard
}

func (s *guardedLog) FirstIndex() (uint64, error) { return s.store.FirstIndex() }
func (s *guardedLog) LastIndex() (uint64, error)  { return s.store.LastIndex() }

func (s *guardedLog) GetLog(index uint64, out *raft.Log) error {
	err := s.read(index, out)
	if err == nil || errors.Is(err, raft.ErrLogNotFound) {
		return err
	}
	s.guard.fail(fmt.Errorf("%w: %w: %s", ErrCorrupt, err, remedy))
	s.guard.park()
	return err
}

// read is GetLog without the consequences.
func (s *guardedLog) read(index uint64, out *raft.Log) error {
	if err := s.store.GetLog(index, out); err != nil {
		return err
	}
	return openEntry(out, index)
}

func (s *guardedLog) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

func (s *guardedLog) StoreLogs(logs []*raft.Log) error {
	sealed := make([]*raft.Log, len(logs))
	for i, l := range logs {
		sealed[i] = sealEntry(l)
	}
	err := s.guard.do("append to the log", func() error { return s.store.StoreLogs(sealed) })
	if err == nil {
		s.guard.noteEntries(logs)
	}
	return err
}

// DeleteRange works in chunks and from the side that leaves no hole when the
// process ends in between: a prefix from its start, a suffix from its end.
func (s *guardedLog) DeleteRange(low, high uint64) error {
	first, err := s.store.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.store.LastIndex()
	if err != nil {
		return err
	}
	suffix := high >= last
	low, high = max(low, first), min(high, last)
	for low <= high && high != 0 {
		from, to := low, min(high, low+deleteChunk-1)
		if suffix {
			from, to = max(low, high-min(high, deleteChunk-1)), high
		}
		err := s.guard.do("truncate the log", func() error { return s.store.DeleteRange(from, to) })
		if err != nil {
			return err
		}
		if suffix {
			high = from - 1
		} else {
			low = to + 1
		}
	}
	return nil
}

// guardedStable is a raft.StableStore for the term and the vote.
type guardedStable struct {
	store raft.StableStore
	guard *guard
}

func (s *guardedStable) Set(key, value []byte) error {
	err := s.guard.do("store the vote", func() error { return s.store.Set(key, sealValue(key, value)) })
	if err != nil {
		s.guard.park()
	}
	return err
}

// Get passes on the "not found" of the store, which raft knows by its text.
func (s *guardedStable) Get(key []byte) ([]byte, error) {
	sealed, err := s.store.Get(key)
	if err != nil {
		return nil, err
	}
	return openValue(key, sealed)
}

func (s *guardedStable) SetUint64(key []byte, v uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, v))
}

func (s *guardedStable) GetUint64(key []byte) (uint64, error) {
	b, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("key %q has %d bytes instead of 8", key, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// guardedSnapshots is a raft.SnapshotStore that settles the log with each
// snapshot as it becomes durable.
type guardedSnapshots struct {
	raft.SnapshotStore
	guard *guard
	log   *guardedLog
	cache raft.LogStore // log, behind raft's cache: deletions go through it
}

func (s *guardedSnapshots) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration, configurationIndex uint64, trans raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.SnapshotStore.Create(version, index, term, configuration, configurationIndex, trans)
	if err != nil {
		return nil, err
	}
	return &guardedSink{SnapshotSink: sink, store: s, index: index, term: term}, nil
}

type guardedSink struct {
	raft.SnapshotSink
	store       *guardedSnapshots
	index, term uint64
}

func (s *guardedSink) Close() error {
	if err := s.SnapshotSink.Close(); err != nil {
		return err
	}
	s.store.guard.noteSnapshot()
	diverged, err := settle(s.store.log, s.store.cache, s.index, s.term)
	if err == nil && diverged {
		err = fmt.Errorf("%w at entry %d: the agent restarts and drops its log", ErrDivergedLog, s.index)
		s.store.guard.fail(err)
	}
	return err
}

// settle brings the log in line with a durable snapshot (index, term). If the
// log holds that very entry, everything before it agrees and nothing is to do.
// If it has no such entry, what it holds below may never have been committed
// and must not be served to others: it goes, since the snapshot covers it. If
// it holds another entry there, the whole log is on a branch that lost, which
// raft cannot drop while it runs.
func settle(log *guardedLog, through raft.LogStore, index, term uint64) (diverged bool, err error) {
	var entry raft.Log
	switch err := log.read(index, &entry); {
	case err == nil:
		return entry.Term != term, nil
	case errors.Is(err, raft.ErrLogNotFound):
		return false, through.DeleteRange(0, index)
	default:
		return false, err
	}
}
