package raftnode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The layout of a bbolt file, as far as a check of its tree needs it. All
// integers are in the byte order of the machine that wrote the file.
const (
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	boltHeaderSize = 16 // id u64, flags u16, count u16, overflow u32
	boltElemSize   = 16 // branch: pos u32, ksize u32, page u64; leaf: flags, pos, ksize, vsize u32
	boltMetaSize   = 64
	boltBucketSize = 16 // root page u64, sequence u64

	boltBranchPage = 0x01
	boltLeafPage   = 0x02
	boltMetaPage   = 0x04
	boltFreelist   = 0x10
	boltBucketLeaf = 0x01

	boltNoFreelist = ^uint64(0)
	boltMinPage    = 1024
	boltMaxPage    = 1 << 24
	boltMaxDepth   = 64
)

var byteOrder = binary.NativeEndian

// checkBolt reads a bbolt file and checks everything that bbolt itself takes
// for granted: bbolt walks the tree on a goroutine of its own when it opens a
// file, where a panic or a fault in the mapped memory cannot be recovered.
// It looks at the newest valid state only, as bbolt does.
func checkBolt(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	meta, err := readBoltMeta(f, info.Size())
	if err != nil {
		return err
	}
	c := &boltChecker{file: f, size: info.Size(), meta: meta, seen: make(map[uint64]struct{})}
	if meta.freelist != boltNoFreelist {
		if err := c.freelist(); err != nil {
			return err
		}
	}
	return c.page(meta.root, nil, nil, 0)
}

type boltMeta struct {
	pageSize                    int64
	root, freelist, pages, txid uint64
}

// readBoltMeta returns the newer of the two meta pages. Both must be valid:
// bbolt would fall back to the older one and so forget its last transaction,
// which may be a vote. A write that a power cut tore could look the same, but a
// meta page fits in one sector.
func readBoltMeta(f io.ReaderAt, size int64) (boltMeta, error) {
	first, ok := parseBoltMeta(f, 0)
	if !ok {
		return first, errors.New("first meta page is not valid")
	}
	second, ok := parseBoltMeta(f, first.pageSize)
	if !ok || second.pageSize != first.pageSize {
		return first, errors.New("second meta page is not valid")
	}
	if size < 2*first.pageSize {
		return first, fmt.Errorf("file of %d bytes is shorter than its two meta pages", size)
	}
	if second.txid > first.txid {
		return second, nil
	}
	return first, nil
}

func parseBoltMeta(f io.ReaderAt, off int64) (boltMeta, bool) {
	buf := make([]byte, boltHeaderSize+boltMetaSize)
	if _, err := f.ReadAt(buf, off); err != nil {
		return boltMeta{}, false
	}
	b := buf[boltHeaderSize:]
	sum := fnv.New64a()
	sum.Write(b[:56])
	m := boltMeta{
		pageSize: int64(byteOrder.Uint32(b[8:])),
		root:     byteOrder.Uint64(b[16:]),
		freelist: byteOrder.Uint64(b[32:]),
		pages:    byteOrder.Uint64(b[40:]),
		txid:     byteOrder.Uint64(b[48:]),
	}
	ok := byteOrder.Uint32(b) == boltMagic &&
		byteOrder.Uint32(b[4:]) == boltVersion &&
		byteOrder.Uint64(b[56:]) == sum.Sum64() &&
		m.pageSize >= boltMinPage && m.pageSize <= boltMaxPage
	return m, ok
}

type boltChecker struct {
	file io.ReaderAt
	size int64
	meta boltMeta
	seen map[uint64]struct{} // pages reached, each allowed once
}

// load reads a page with its overflow and marks it as reached.
func (c *boltChecker) load(id uint64) (flags uint16, count int, data []byte, err error) {
	if id < 2 || id >= c.meta.pages || int64(id) > c.size/c.meta.pageSize {
		return 0, 0, nil, fmt.Errorf("page %d is out of bounds", id)
	}
	var h [boltHeaderSize]byte
	off := int64(id) * c.meta.pageSize
	if _, err := c.file.ReadAt(h[:], off); err != nil {
		return 0, 0, nil, fmt.Errorf("page %d: %w", id, err)
	}
	if got := byteOrder.Uint64(h[:]); got != id {
		return 0, 0, nil, fmt.Errorf("page %d says it is page %d", id, got)
	}
	flags, count = byteOrder.Uint16(h[8:]), int(byteOrder.Uint16(h[10:]))
	span := int64(byteOrder.Uint32(h[12:])) + 1
	if int64(id)+span > int64(c.meta.pages) || off+span*c.meta.pageSize > c.size {
		return 0, 0, nil, fmt.Errorf("page %d ends after the file", id)
	}
	for i := id; i < id+uint64(span); i++ {
		if _, dup := c.seen[i]; dup {
			return 0, 0, nil, fmt.Errorf("page %d is referenced twice", i)
		}
		c.seen[i] = struct{}{}
	}
	data = make([]byte, span*c.meta.pageSize)
	if _, err := c.file.ReadAt(data, off); err != nil {
		return 0, 0, nil, fmt.Errorf("page %d: %w", id, err)
	}
	return flags, count, data[boltHeaderSize:], nil
}

func (c *boltChecker) freelist() error {
	flags, _, _, err := c.load(c.meta.freelist)
	if err == nil && flags != boltFreelist {
		err = fmt.Errorf("page %d is no free list", c.meta.freelist)
	}
	return err
}

// page checks the subtree at id, whose keys lie in [low, high); nil is open.
func (c *boltChecker) page(id uint64, low, high []byte, depth int) error {
	if depth > boltMaxDepth {
		return fmt.Errorf("page %d: tree is too deep", id)
	}
	flags, count, data, err := c.load(id)
	if err != nil {
		return err
	}
	switch flags {
	case boltBranchPage:
		return c.branch(id, count, data, low, high, depth)
	case boltLeafPage:
		return c.leaf(id, count, data, low, high, depth)
	default:
		return fmt.Errorf("page %d has the unexpected type %#x", id, flags)
	}
}

func (c *boltChecker) branch(id uint64, count int, data, low, high []byte, depth int) error {
	if count == 0 {
		return fmt.Errorf("branch page %d is empty", id)
	}
	keys := make([][]byte, count)
	for i := range count {
		e, err := element(data, i)
		if err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		if keys[i], err = field(data, i, byteOrder.Uint32(e), byteOrder.Uint32(e[4:])); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
	}
	if err := ordered(keys, low, high); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	for i := range count {
		e, _ := element(data, i)
		end := high
		if i+1 < count {
			end = keys[i+1]
		}
		if err := c.page(byteOrder.Uint64(e[8:]), keys[i], end, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *boltChecker) leaf(id uint64, count int, data, low, high []byte, depth int) error {
	keys := make([][]byte, count)
	for i := range count {
		e, err := element(data, i)
		if err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		pos, ksize, vsize := byteOrder.Uint32(e[4:]), byteOrder.Uint32(e[8:]), byteOrder.Uint32(e[12:])
		if keys[i], err = field(data, i, pos, ksize); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		value, err := field(data, i, pos+ksize, vsize)
		if err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		if byteOrder.Uint32(e)&boltBucketLeaf != 0 {
			if err := c.bucket(value, depth+1); err != nil {
				return fmt.Errorf("bucket %q: %w", keys[i], err)
			}
		}
	}
	if err := ordered(keys, low, high); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// bucket checks the tree of a bucket, or the page inside the value itself when
// the bucket is small.
func (c *boltChecker) bucket(value []byte, depth int) error {
	if len(value) < boltBucketSize {
		return errors.New("header is cut off")
	}
	if root := byteOrder.Uint64(value); root != 0 {
		return c.page(root, nil, nil, depth)
	}
	inline := value[boltBucketSize:]
	if len(inline) < boltHeaderSize || byteOrder.Uint64(inline) != 0 || byteOrder.Uint16(inline[8:]) != boltLeafPage {
		return errors.New("inline page is damaged")
	}
	return c.leaf(0, int(byteOrder.Uint16(inline[10:])), inline[boltHeaderSize:], nil, nil, depth)
}

func element(data []byte, i int) ([]byte, error) {
	if (i+1)*boltElemSize > len(data) {
		return nil, fmt.Errorf("element %d is cut off", i)
	}
	return data[i*boltElemSize : (i+1)*boltElemSize], nil
}

// field returns size bytes at pos, counted from the start of element i.
func field(data []byte, i int, pos, size uint32) ([]byte, error) {
	from := int64(i)*boltElemSize + int64(pos)
	if from+int64(size) > int64(len(data)) {
		return nil, fmt.Errorf("element %d points outside its page", i)
	}
	return data[from : from+int64(size)], nil
}

func ordered(keys [][]byte, low, high []byte) error {
	for i, k := range keys {
		switch {
		case i == 0 && low != nil && bytes.Compare(k, low) < 0:
			return errors.New("first key is below its parent's")
		case i > 0 && bytes.Compare(keys[i-1], k) >= 0:
			return fmt.Errorf("key %d is out of order", i)
		case high != nil && bytes.Compare(k, high) >= 0:
			return fmt.Errorf("key %d is above its parent's next", i)
		}
	}
	return nil
}
