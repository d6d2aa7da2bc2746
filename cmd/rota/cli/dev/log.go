package dev

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// Bounds of a node's log.
const (
	// maxLog is where a log file is put aside and another is begun; one old file
	// is kept.
	maxLog       = 8 << 20
	shownLog     = 16 << 10
	shownLogRows = 20
)

// logFile is a file of bounded size. It may be used from many goroutines.
type logFile struct {
	mu   sync.Mutex
	path string
	file *os.File
	size int64
}

func createLog(path string) (*logFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("the log of an agent: %w", err)
	}
	return &logFile{path: path, file: f}, nil
}

// Write implements io.Writer. A full disk loses the log, and stops no agent.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+int64(len(p)) > maxLog {
		l.rotate()
	}
	n, err := l.file.Write(p)
	l.size += int64(n)
	if err != nil {
		return len(p), nil //nolint:nilerr // see the function's comment
	}
	return n, nil
}

// rotate begins the file anew, keeping the old text beside it. If that fails the
// text is lost: the bound matters more.
func (l *logFile) rotate() {
	if old, err := os.ReadFile(l.path); err == nil {
		_ = os.WriteFile(l.path+".1", old, 0o600)
	}
	_ = l.file.Truncate(0)
	_, _ = l.file.Seek(0, io.SeekStart)
	l.size = 0
}

func (l *logFile) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// tail returns the last lines of the log.
func (l *logFile) tail() (string, error) {
	f, err := os.Open(l.path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // only read from
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	from := max(0, info.Size()-shownLog)
	text := make([]byte, info.Size()-from)
	n, err := f.ReadAt(text, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	lines := strings.Split(strings.TrimRight(string(text[:n]), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-shownLogRows):], "\n"), nil
}
