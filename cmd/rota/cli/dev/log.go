package dev

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Bounds of a node's log.
const (
	// maxLog is where the text is put aside and the file begun anew; one old file
	// is kept.
	maxLog       = 8 << 20
	shownLog     = 16 << 10
	shownLogRows = 20
)

// logFile is the file that an agent writes its log to, directly: a pipe through
// this process would break when it is killed, in the middle of the agent's own
// orderly end. Its methods are called from one goroutine at a time.
type logFile struct {
	path string
	// file is open for appending, so that the agent goes on at the new end of a
	// file that was cut.
	file *os.File
}

func createLog(path string) (*logFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the log of an agent: %w", err)
	}
	return &logFile{path: path, file: f}, nil
}

// trim begins a file that has grown too long anew, and keeps its end beside it.
// What is written in that moment is lost: the bound matters more.
func (l *logFile) trim() error {
	info, err := l.file.Stat()
	if err != nil || info.Size() <= maxLog {
		return err
	}
	end := io.NewSectionReader(l.file, info.Size()-maxLog, maxLog)
	old, err := os.Create(l.path + ".1")
	if err == nil {
		_, err = io.Copy(old, end)
		err = errors.Join(err, old.Close())
	}
	return errors.Join(err, l.file.Truncate(0))
}

func (l *logFile) close() error { return l.file.Close() }

// tail returns the last lines of the log.
func (l *logFile) tail() (string, error) {
	info, err := l.file.Stat()
	if err != nil {
		return "", err
	}
	from := max(0, info.Size()-shownLog)
	text := make([]byte, info.Size()-from)
	n, err := l.file.ReadAt(text, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	lines := strings.Split(strings.TrimRight(string(text[:n]), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-shownLogRows):], "\n"), nil
}
