package raftnode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/hashicorp/raft"
)

// bbolt has no checksums on its pages, so entries and votes carry their own: an
// entry at the end of Extensions, which raft stores and nothing here uses
// otherwise, and a vote behind its value.
const sumSize = 4

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errSum     = errors.New("checksum does not match")
)

func entrySum(l *raft.Log, extensions []byte) uint32 {
	var head [17]byte
	binary.BigEndian.PutUint64(head[0:], l.Index)
	binary.BigEndian.PutUint64(head[8:], l.Term)
	head[16] = byte(l.Type)
	sum := crc32.Checksum(head[:], castagnoli)
	sum = crc32.Update(sum, castagnoli, l.Data)
	return crc32.Update(sum, castagnoli, extensions)
}

// sealEntry returns a copy with the checksum; raft keeps using the original.
func sealEntry(l *raft.Log) *raft.Log {
	sealed := *l
	sealed.Extensions = make([]byte, 0, len(l.Extensions)+sumSize)
	sealed.Extensions = append(sealed.Extensions, l.Extensions...)
	sealed.Extensions = binary.BigEndian.AppendUint32(sealed.Extensions, entrySum(l, l.Extensions))
	return &sealed
}

// openEntry checks and removes the checksum of an entry read at index.
func openEntry(l *raft.Log, index uint64) error {
	n := len(l.Extensions) - sumSize
	if n < 0 || l.Index != index {
		return fmt.Errorf("entry %d: %w", index, errSum)
	}
	ext := l.Extensions[:n:n]
	if entrySum(l, ext) != binary.BigEndian.Uint32(l.Extensions[n:]) {
		return fmt.Errorf("entry %d: %w", index, errSum)
	}
	if n == 0 {
		ext = nil
	}
	l.Extensions = ext
	return nil
}

func valueSum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

func sealValue(key, value []byte) []byte {
	sealed := make([]byte, 0, len(value)+sumSize)
	sealed = append(sealed, value...)
	return binary.BigEndian.AppendUint32(sealed, valueSum(key, value))
}

func openValue(key, sealed []byte) ([]byte, error) {
	n := len(sealed) - sumSize
	if n < 0 || valueSum(key, sealed[:n]) != binary.BigEndian.Uint32(sealed[n:]) {
		return nil, fmt.Errorf("key %q: %w", key, errSum)
	}
	return sealed[:n:n], nil
}
