package raftnode

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// usedDir returns a directory with a log that is large enough to have branch
// pages, and a stopped node on it.
func usedDir(t *testing.T) *member {
	t.Helper()
	c := startCluster(t, 1, nil)
	for i := range 150 {
		c.apply(t, fmt.Sprintf("%d %s", i, strings.Repeat("payload ", 64)))
	}
	c[0].stop(t)
	return c[0]
}

// tryOpen opens the directory of m and reports the error; a node that opened
// is stopped again.
func tryOpen(t *testing.T, m *member) error {
	t.Helper()
	n, err := Open(m.config(t))
	if err == nil {
		m.Node = n
		m.stop(t)
	}
	return err
}

func TestCorruptFile(t *testing.T) {
	m := usedDir(t)
	path := filepath.Join(m.dir, boltName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	flip := func(at int) []byte {
		b := bytes.Clone(whole)
		b[at] ^= 0x40
		return b
	}
	tests := map[string][]byte{
		"zero length":      {},
		"one byte":         {1},
		"garbage":          bytes.Repeat([]byte("garbage!"), 8192),
		"zeros":            make([]byte, len(whole)),
		"meta pages only":  whole[:2*page],
		"cut in half":      whole[:len(whole)/2],
		"cut by a page":    whole[:slices.Max(usedPages(t, path))*page],
		"both metas":       append(make([]byte, 2*page), whole[2*page:]...),
		"one meta":         append(make([]byte, page), whole[page:]...),
		"one bit of a log": flip(usedPayload(t, path, whole)),
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			err := tryOpen(t, m)
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(err.Error(), m.dir) || !strings.Contains(err.Error(), remedy) {
				t.Errorf("error names no path or no remedy: %v", err)
			}
		})
	}
	t.Run("whole again", func(t *testing.T) {
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := tryOpen(t, m); err != nil {
			t.Errorf("undamaged file: %v", err)
		}
	})
}

// usedPages returns the pages that the file's tree reaches; the rest is free.
func usedPages(t *testing.T, path string) []int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	meta, err := readBoltMeta(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	c := &boltChecker{file: f, size: info.Size(), meta: meta, seen: map[uint64]struct{}{}}
	if err := c.page(meta.root, nil, nil, 0); err != nil {
		t.Fatal(err)
	}
	pages := []int{0, 1}
	for id := range c.seen {
		pages = append(pages, int(id))
	}
	slices.Sort(pages)
	return pages
}

// usedPayload returns where the data of some entry lies.
func usedPayload(t *testing.T, path string, whole []byte) int {
	t.Helper()
	size := os.Getpagesize()
	for _, p := range usedPages(t, path) {
		if i := bytes.Index(whole[p*size:(p+1)*size], []byte("payload")); i >= 0 {
			return p*size + i
		}
	}
	t.Fatal("no entry in any page")
	return 0
}

// TestBitFlips damages one bit at a time, in pages that are in use and at
// random. Whatever it hits, Open must return, and a log that it accepts must
// hold exactly what was written.
func TestBitFlips(t *testing.T) {
	m := usedDir(t)
	path := filepath.Join(m.dir, boltName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := entries(t, path)
	rng := rand.New(rand.NewPCG(1, 2))
	page := os.Getpagesize()
	used := usedPages(t, path)
	damaged := filepath.Join(tempDir(t), boltName)
	refused := 0
	for i := range 250 {
		at := used[rng.IntN(len(used))] * page
		if i%2 == 0 {
			at += rng.IntN(64) // headers
		} else {
			at += rng.IntN(page)
		}
		b := bytes.Clone(whole)
		b[at] ^= 1 << rng.IntN(8)
		if err := os.WriteFile(damaged, b, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readAll(damaged)
		switch {
		case err != nil:
			refused++
		case !bytes.Equal(got, want):
			t.Fatalf("byte %d: damage was accepted and changed the log", at)
		}
	}
	if refused < 50 {
		t.Errorf("only %d of 250 flips were noticed; the test hits nothing", refused)
	}
}

func entries(t *testing.T, path string) []byte {
	t.Helper()
	b, err := readAll(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readAll opens a file as Open does and returns its entries, one after the
// other.
func readAll(path string) ([]byte, error) {
	if err := checkBolt(path); err != nil {
		return nil, err
	}
	bolt, err := openBolt(path)
	if err != nil {
		return nil, err
	}
	defer bolt.Close()
	log := &guardedLog{store: bolt}
	stable := &guardedStable{store: bolt}
	if err := repair(log, stable, raft.NewInmemSnapshotStore()); err != nil {
		return nil, err
	}
	last, err := log.LastIndex()
	if err != nil {
		return nil, err
	}
	var all []byte
	for i := uint64(1); i <= last; i++ {
		var l raft.Log
		if err := log.read(i, &l); err != nil {
			return nil, err
		}
		all = append(all, l.Data...)
	}
	return all, nil
}

func TestLockedDir(t *testing.T) {
	c := startCluster(t, 1, nil)
	second := newMember(t, "second")
	second.dir = c[0].dir
	if err := tryOpen(t, second); !errors.Is(err, ErrLocked) {
		t.Errorf("second agent on the directory: %v", err)
	}
	c[0].stop(t)
	if err := tryOpen(t, second); err != nil {
		t.Errorf("after the first one stopped: %v", err)
	}
}

func TestLogLostBesideSnapshots(t *testing.T) {
	c := startCluster(t, 1, nil)
	c.apply(t, "x")
	if err := c[0].Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	c[0].stop(t)
	if err := os.Remove(filepath.Join(c[0].dir, boltName)); err != nil {
		t.Fatal(err)
	}
	if err := tryOpen(t, c[0]); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

func TestRemovesTemporarySnapshots(t *testing.T) {
	c := startCluster(t, 1, nil)
	c[0].stop(t)
	junk := filepath.Join(c[0].dir, snapshotDir, "1-2-3.tmp")
	if err := os.MkdirAll(junk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := tryOpen(t, c[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(junk); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("leftover is still there: %v", err)
	}
}
