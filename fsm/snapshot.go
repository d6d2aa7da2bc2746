package fsm

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/raft"
)

// A snapshot is a header and then the rows, table by table in the order of their
// keys. The header is its length and its bytes; a row is the number of its table,
// its length and its bytes; number 0 ends the snapshot. Numbers and lengths are
// unsigned varints, so that a row is checked against a bound before it is read.
type snapshotHeader struct {
	Version int    `codec:"v"`
	Index   uint64 `codec:"i"`
}

const (
	snapshotVersion = 1
	// maxRowBytes bounds a row: a command makes none that is larger than itself,
	// and a shard adds the tails of its attempts.
	maxRowBytes = 2 * MaxCommandBytes
)

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
	{11, tableFollows, func() any { return new(Follow) }},
	{12, tableNotifications, func() any { return new(Notification) }},
	{13, tableNotifyStats, func() any { return new(NotifyStats) }},
	{21, tablePools, func() any { return new(Pool) }},
	{22, tableScaling, func() any { return new(ScaleEvent) }},
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

// rowWriter writes rows, and keeps the first error.
type rowWriter struct {
	w       io.Writer
	encoder *codec.Encoder
	row     []byte
	prefix  []byte
	err     error
}

// write writes a row behind the given numbers and its length.
func (w *rowWriter) write(obj any, numbers ...int) {
	if w.err != nil {
		return
	}
	w.row, w.prefix = w.row[:0], w.prefix[:0]
	w.encoder.ResetBytes(&w.row)
	if w.err = w.encoder.Encode(obj); w.err != nil {
		return
	}
	for _, n := range append(numbers, len(w.row)) {
		w.prefix = binary.AppendUvarint(w.prefix, uint64(n))
	}
	if _, w.err = w.w.Write(w.prefix); w.err == nil {
		_, w.err = w.w.Write(w.row)
	}
}

func writeState(w io.Writer, v *View, index uint64) error {
	rows := &rowWriter{w: w, encoder: codec.NewEncoderBytes(nil, msgpack)}
	rows.write(snapshotHeader{snapshotVersion, index})
	for _, t := range rowTypes {
		it, err := v.txn.Get(t.table, indexID)
		if err != nil {
			return err
		}
		for obj := it.Next(); obj != nil && rows.err == nil; obj = it.Next() {
			rows.write(obj, t.number)
		}
	}
	if rows.err != nil {
		return rows.err
	}
	_, err := w.Write([]byte{0})
	return err
}

// rowReader reads what rowWriter wrote.
type rowReader struct {
	r   *bufio.Reader
	row bytes.Buffer
}

func (r *rowReader) read(obj any) error {
	n, err := binary.ReadUvarint(r.r)
	if err != nil {
		return err
	}
	if n > maxRowBytes {
		return fmt.Errorf("%d bytes, at most %d are allowed", n, maxRowBytes)
	}
	r.row.Reset()
	// The buffer grows with what is there, not with what the length claims.
	if _, err := io.CopyN(&r.row, r.r, int64(n)); err != nil {
		return err
	}
	return decode(r.row.Bytes(), obj)
}

func readSnapshot(r io.Reader, st *state) error {
	rows := &rowReader{r: bufio.NewReaderSize(r, 1<<16)}
	var h snapshotHeader
	if err := rows.read(&h); err != nil {
		return fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	if h.Version != snapshotVersion {
		return fmt.Errorf("snapshot format %d: this version of rota reads %d; install the version that wrote it", h.Version, snapshotVersion)
	}
	types := make(map[uint64]rowType, len(rowTypes))
	for _, t := range rowTypes {
		types[uint64(t.number)] = t
	}
	txn := st.db.Txn(true)
	defer txn.Abort()
	for {
		n, err := binary.ReadUvarint(rows.r)
		if err != nil {
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
		if err := rows.read(obj); err != nil {
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
