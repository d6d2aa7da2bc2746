package notifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rota-scheduler/rota/fsm"
)

const (
	// maxSecret bounds a secret, in bytes.
	maxSecret = 4 << 10
	// maxReads bounds the secret files that are read at a time. Nothing ends a read
	// of a file system that hangs: such a read keeps its place.
	maxReads = 16
)

// secrets reads the secrets of webhooks.
type secrets struct {
	read  func(path string) (string, error)
	slots chan struct{}
}

func newSecrets() *secrets {
	return &secrets{read: readSecret, slots: make(chan struct{}, maxReads)}
}

// of returns the secret of a webhook; empty if it has none. It returns when ctx
// ends, whatever the file system does: a try that hangs would hold up the end of
// the term, and this node could never lead again.
func (s *secrets) of(ctx context.Context, target *fsm.Notify) (string, error) {
	if target.SecretFile == "" {
		return target.Secret.Reveal(), nil
	}
	hangs := fmt.Errorf("secret_file of this node: %s could not be read in time", target.SecretFile)
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return "", hangs
	}
	type answer struct {
		secret string
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() { <-s.slots }()
		secret, err := s.read(target.SecretFile)
		done <- answer{secret, err}
	}()
	select {
	case a := <-done:
		if a.err != nil {
			return "", fmt.Errorf("secret_file of this node: %w", a.err)
		}
		return a.secret, nil
	case <-ctx.Done():
		return "", hangs
	}
}

func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() { // a pipe would hold the request up
		return "", errors.New("no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" || len(text) > maxSecret {
		return "", fmt.Errorf("%s has %d bytes, want 1 to %d", path, len(text), maxSecret)
	}
	return secret, nil
}
