package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// maxLog is the size at which a log moves aside; one older part is kept.
const maxLog = 8 << 20

// logFile is an agent's output, over all its lives.
type logFile struct {
	path string
	mu   sync.Mutex
	file *os.File
	size int
}

func createLog(path string) (*logFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("making a log: %w", err)
	}
	return &logFile{path: path, file: f}, nil
}

// Write appends p, and moves the file aside when it is full.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+len(p) > maxLog {
		if err := l.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(p)
	l.size += n
	return n, err
}

func (l *logFile) rotate() error {
	if err := errors.Join(l.file.Close(), os.Rename(l.path, l.path+".1")); err != nil {
		return fmt.Errorf("moving a full log aside: %w", err)
	}
	f, err := os.Create(l.path)
	if err != nil {
		return fmt.Errorf("making a log: %w", err)
	}
	l.file, l.size = f, 0
	return nil
}

// text returns all that is kept.
func (l *logFile) text() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, err := os.ReadFile(l.path + ".1")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	current, err := os.ReadFile(l.path)
	return append(old, current...), err
}

// tail returns the last lines.
func (l *logFile) tail(lines int) string {
	text, err := l.text()
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

func (l *logFile) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
