package membership

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/google/uuid"
)

const (
	nodeIDFile      = "node-id"
	incarnationFile = "incarnation"
)

// Identity says which node this is, and which life of it.
type Identity struct {
	ID          string // UUID, made once per data directory
	Incarnation uint64 // grows by at least one with every start
}

// LoadIdentity returns the identity kept in dir and starts a new incarnation:
// the raised number is on disk before it is returned. In a fresh directory it
// makes a new identity. hasState says that dir already holds replicated state;
// a missing identity is then [ErrIdentityLost] instead of a new one, because a
// node that votes under a second identity could found a second majority.
//
// Call it once per process start, with the directory to itself.
func LoadIdentity(dir string, hasState bool) (Identity, error) {
	id, err := readNodeID(dir)
	if err != nil {
		return Identity{}, err
	}
	last, found, err := readIncarnation(dir)
	if err != nil {
		return Identity{}, err
	}
	switch {
	case id == "" && hasState:
		return Identity{}, fmt.Errorf("%w: %s is missing in %s, which holds replicated state: restore the file, or empty the directory and let the node join as a new one",
			ErrIdentityLost, nodeIDFile, dir)
	case id != "" && !found:
		return Identity{}, fmt.Errorf("%w: %s is missing in %s: restore it with a number higher than any incarnation seen of node %s, or empty the directory and let the node join as a new one",
			ErrIdentityLost, incarnationFile, dir, id)
	case last == math.MaxUint64:
		return Identity{}, fmt.Errorf("%w: %s cannot grow past %d", ErrIdentityCorrupt, filepath.Join(dir, incarnationFile), last)
	}
	// The incarnation goes first: a crash between the two files then leaves a
	// number without an identity, which the next start simply counts on.
	next := Identity{ID: id, Incarnation: last + 1}
	if err := writeDurably(dir, incarnationFile, strconv.FormatUint(next.Incarnation, 10)); err != nil {
		return Identity{}, err
	}
	if id != "" {
		return next, nil
	}
	fresh, err := uuid.NewRandom()
	if err != nil {
		return Identity{}, fmt.Errorf("make a node id: %w", err)
	}
	next.ID = fresh.String()
	if err := writeDurably(dir, nodeIDFile, next.ID); err != nil {
		return Identity{}, err
	}
	return next, nil
}

// readNodeID returns "" when there is no file.
func readNodeID(dir string) (string, error) {
	raw, found, err := readIfPresent(dir, nodeIDFile)
	if err != nil || !found {
		return "", err
	}
	id, err := uuid.Parse(raw)
	if err != nil || id.String() != raw {
		return "", fmt.Errorf("%w: %s does not hold a UUID: restore it, or empty the directory and let the node join as a new one",
			ErrIdentityCorrupt, filepath.Join(dir, nodeIDFile))
	}
	return raw, nil
}

func readIncarnation(dir string) (n uint64, found bool, err error) {
	raw, found, err := readIfPresent(dir, incarnationFile)
	if err != nil || !found {
		return 0, false, err
	}
	n, err = strconv.ParseUint(raw, 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("%w: %s does not hold a number: write one that is higher than any incarnation seen of this node",
			ErrIdentityCorrupt, filepath.Join(dir, incarnationFile))
	}
	return n, true, nil
}

func readIfPresent(dir, name string) (text string, found bool, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read the node's identity: %w", err)
	}
	return string(bytes.TrimSpace(raw)), true, nil
}

// writeDurably replaces dir/name so that after a crash at any instant the file
// holds either the old text or the new.
func writeDurably(dir, name, text string) error {
	if err := replaceFile(dir, name, text); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(dir, name), err)
	}
	return nil
}

func replaceFile(dir, name, text string) error {
	temp := filepath.Join(dir, name+".tmp")
	if err := writeSynced(temp, text+"\n"); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(dir, name)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func writeSynced(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}
