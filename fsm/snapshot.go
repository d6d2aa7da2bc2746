package fsm

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/raft"
)

// A snapshot is a header and then the rows, table by table in the order of
// their keys, each behind the number of its table; row number 0 ends it.
type snapshotHeader struct {
	Version int    `codec:"v"`
	Index   uint64 `codec:"i"`
}

const snapshotVersion = 1

// rowType is one table's number in the snapshot, and how to read its rows.
type rowType struct {
	number int
	table  string
	fresh  func() any
}

// rowTypes lists the tables in the order of the snapshot. Numbers are only added.
var rowTypes = []rowType{
	{1, tableSettings, func() any { return new(Settings) }},
	{2, tableNodes, func() any { return new(Node) }},
	{3, tableJobs, func() any { return new(Job) }},
	{4, tableVersions, func() any { return new(JobVersion) }},
	{5, tableCursors, func() any { return new(Cursor) }},
	{6, tableStats, func() any { return new(JobStats) }},
	{7, tableFires, func() any { return new(Fire) }},
	{8, tableRuns, func() any { return new(Run) }},
	{9, tableTasks, func() any { return new(RunTask) }},
	{10, tableShards, func() any { return new(Shard) }},
}

type snapshot struct{ view *View }

// Persist writes the snapshot. It runs beside Apply.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	w := bufio.NewWriterSize(sink, 1<<16)
	err := writeState(w, s.view, s.view.index)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing a snapshot: %w", err), sink.Cancel())
	}
	return sink.Close()
}

// Release lets go of the view.
func (s *snapshot) Release() {}

func writeState(w io.Writer, v *View, index uint64) error {
	enc := codec.NewEncoder(w, msgpack)
	if err := enc.Encode(snapshotHeader{snapshotVersion, index}); err != nil {
		return err
	}
	for _, t := range rowTypes {
		it, err := v.txn.Get(t.table, indexID)
		if err != nil {
			return err
		}
		for obj := it.Next(); obj != nil; obj = it.Next() {
			if err := enc.Encode(t.number); err != nil {
				return err
			}
			if err := enc.Encode(obj); err != nil {
				return err
			}
		}
	}
	return enc.Encode(0)
}

func readSnapshot(r io.Reader, st *state) error {
	dec := codec.NewDecoder(bufio.NewReaderSize(r, 1<<16), msgpack)
	var h snapshotHeader
	if err := dec.Decode(&h); err != nil {
		return fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	if h.Version != snapshotVersion {
		return fmt.Errorf("snapshot format %d: this version of rota reads %d; install the version that wrote it", h.Version, snapshotVersion)
	}
	types := make(map[int]rowType, len(rowTypes))
	for _, t := range rowTypes {
		types[t.number] = t
	}
	txn := st.db.Txn(true)
	defer txn.Abort()
	for {
		var n int
		if err := dec.Decode(&n); err != nil {
			return fmt.Errorf("%w: snapshot ends early: %w", ErrMalformed, err)
		}
		if n == 0 {
			txn.Commit()
			st.index.Store(h.Index)
			return nil
		}
		t, ok := types[n]
		if !ok {
			return fmt.Errorf("snapshot has rows of table %d, unknown here; install the version that wrote it", n)
		}
		obj := t.fresh()
		if err := dec.Decode(obj); err != nil {
			return fmt.Errorf("%w: row of %s: %w", ErrMalformed, t.table, err)
		}
		if err := txn.Insert(t.table, obj); err != nil {
			return fmt.Errorf("row of %s: %w", t.table, err)
		}
	}
}

// Hash returns a digest of the whole state and the index that it stands at.
// Nodes at the same index have the same digest. Its cost grows with the state.
func (s *Store) Hash() (index uint64, digest string) {
	v := s.Read()
	h := sha256.New()
	if err := writeState(h, v, 0); err != nil {
		return v.index, "unreadable: " + err.Error()
	}
	return v.index, hex.EncodeToString(h.Sum(nil))
}
