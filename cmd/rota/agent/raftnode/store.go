package raftnode

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	boltName    = "raft.db"
	lockName    = "raft.lock"
	snapshotDir = "snapshots"

	lockTimeout = time.Second
	lockRetry   = 20 * time.Millisecond
)

// openStores opens the files in dir. The first return value closes them.
func openStores(dir string, cfg *Config) (func() error, *Stores, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("raft data directory: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, nil, err
	}
	bolt, err := openBoltDir(dir)
	if err != nil {
		lock.Close()
		return nil, nil, err
	}
	closeAll := func() error { return errors.Join(bolt.Close(), lock.Close()) }
	if err := removeTemporary(filepath.Join(dir, snapshotDir)); err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(dir, retainSnapshots, NewHCLog(cfg.Logger))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("raft snapshots in %s: %w", dir, err), closeAll())
	}
	return closeAll, &Stores{Log: bolt, Stable: bolt, Snapshots: snaps}, nil
}

// lockDir keeps a second agent out before anything is read. The kernel drops
// the lock with the process.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, probeError(dir, err)
	}
	deadline := time.Now().Add(lockTimeout)
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, lockedError(dir)
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		time.Sleep(lockRetry)
	}
}

func lockedError(dir string) error {
	return fmt.Errorf("%w: %s: stop that agent, or give this one another data directory", ErrLocked, dir)
}

func corruptError(path string, err error) error {
	return fmt.Errorf("%w: %s: %w: %s", ErrCorrupt, path, err, remedy)
}

// openBoltDir opens raft.db in dir, or makes it. It is made beside its name and
// renamed, so that a file that is empty or cut short is damage and never a
// first start that was interrupted.
func openBoltDir(dir string) (*raftboltdb.BoltStore, error) {
	path := filepath.Join(dir, boltName)
	_, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		err = createBolt(dir, path)
	}
	if err != nil {
		return nil, fmt.Errorf("raft log: %w", err)
	}
	if err := checkBolt(path); err != nil {
		return nil, corruptError(path, err)
	}
	return openBolt(path)
}

func createBolt(dir, path string) error {
	old, err := os.ReadDir(filepath.Join(dir, snapshotDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(old) > 0 {
		return corruptError(path, errors.New("the file is missing while snapshots are there"))
	}
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	bolt, err := openBolt(tmp)
	if err != nil {
		return err
	}
	if err := bolt.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(dir)
}

func openBolt(path string) (store *raftboltdb.BoltStore, err error) {
	var file *os.File
	defer func() {
		if p := recover(); p != nil {
			if file != nil {
				file.Close()
			}
			store, err = nil, corruptError(path, fmt.Errorf("%v", p))
		}
	}()
	store, err = raftboltdb.New(raftboltdb.Options{
		Path: path,
		BoltOptions: &bbolt.Options{
			Timeout:        lockTimeout,
			FreelistType:   bbolt.FreelistMapType,
			NoFreelistSync: true,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				var err error
				file, err = os.OpenFile(name, flag, mode)
				return file, err
			},
		},
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, lockedError(filepath.Dir(path))
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, corruptError(path, err)
	case err != nil:
		return nil, probeError(filepath.Dir(path), err)
	}
	return store, nil
}

// removeTemporary deletes what a snapshot that was cut short left behind; raft
// never does.
func removeTemporary(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("raft snapshots: %w", err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("raft snapshots: %w", err)
			}
		}
	}
	return nil
}

// repair settles the log with the newest snapshot and then checks every entry
// that raft will read, and the vote.
func repair(log *guardedLog, stable *guardedStable, snaps raft.SnapshotStore) error {
	list, err := snaps.List()
	if err != nil {
		return fmt.Errorf("list snapshots: %w", err)
	}
	var covered uint64
	if len(list) > 0 {
		covered = list[0].Index
		diverged, err := settle(log, log, covered, list[0].Term)
		if err != nil {
			return err
		}
		if diverged {
			if err := log.DeleteRange(0, ^uint64(0)); err != nil {
				return err
			}
		}
	}
	for _, key := range []string{"CurrentTerm", "LastVoteTerm", "LastVoteCand"} {
		if _, err := stable.Get([]byte(key)); errors.Is(err, errSum) {
			return err
		}
	}
	return checkEntries(log, covered)
}

// checkEntries demands that every entry after covered is there and whole.
func checkEntries(log *guardedLog, covered uint64) error {
	first, err := log.FirstIndex()
	if err != nil {
		return err
	}
	last, err := log.LastIndex()
	if err != nil {
		return err
	}
	if first > covered+1 {
		return fmt.Errorf("entries %d to %d are missing", covered+1, first-1)
	}
	var entry raft.Log
	for i := max(first, 1); i <= last; i++ {
		err := log.read(i, &entry)
		if errors.Is(err, raft.ErrLogNotFound) && i <= covered {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
