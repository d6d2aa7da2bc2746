package proc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	journalName  = "attempts.log"
	lockPatience = time.Second
	lockPause    = 5 * time.Millisecond
)

// compactAt is the size from which the journal is rewritten once it is four
// times what was left of it at the last rewrite.
const compactAt = 1 << 20

// record is one line of the journal: JSON, so that a person can read it.
type record struct {
	Op     string  `json:"op"`
	ID     string  `json:"id,omitempty"`
	Mark   string  `json:"mark,omitempty"` // value of Marker
	Boot   string  `json:"boot,omitempty"`
	At     int64   `json:"at,omitempty"`   // wall clock, Unix ns
	Mono   int64   `json:"mono,omitempty"` // ns
	Dir    string  `json:"dir,omitempty"`
	Note   []byte  `json:"note,omitempty"`
	Result *Result `json:"result,omitempty"`
}

// The kinds of records.
const (
	opStart   = "start"   // may have started from here on
	opEnd     = "end"     // holds the result
	opDecline = "decline" // will never be started
	opForget  = "forget"  // as if it had never been
)

// span is where a record lies in the file.
type span struct {
	off int64
	len int
}

// journal is an append-only file with what must outlive this process: one
// write for a record, no fsync. The lock on it keeps a second Manager off.
type journal struct {
	path string

	mu     sync.Mutex
	f      *os.File
	size   int64
	floor  int64             // size that a rewrite left or would leave
	live   map[string][]span // records of attempts that are not forgotten
	broken error             // a torn record could not be taken back
}

// openJournal reads what is there, in order, and goes on behind it. Lines that
// cannot be read (the end of a record cut off by a crash) count as skipped.
// A lock that is taken is asked for again until ctx ends, for a second at most:
// a program that the dead predecessor was just starting holds it until its exec.
func openJournal(ctx context.Context, dir string) (j *journal, records []record, skipped int, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, nil, 0, fmt.Errorf("open journal: %w", err)
	}
	path := filepath.Join(dir, journalName)
	f, err := openLocked(path)
	for end := time.Now().Add(lockPatience); errors.Is(err, ErrLocked) && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(lockPause)
		f, err = openLocked(path)
	}
	if err != nil {
		return nil, nil, 0, err
	}
	j = &journal{path: path, f: f, live: make(map[string][]span)}
	records, skipped, err = j.load()
	if err != nil {
		f.Close()
		return nil, nil, 0, fmt.Errorf("read journal %s: %w", path, err)
	}
	return j, records, skipped, nil
}

func openLocked(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || err == nil && !isAt(f, path) {
		err = ErrLocked
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock journal %s: %w", path, err)
	}
	return f, nil
}

// isAt says whether the path still leads to the file: a rewrite may have
// replaced it between our open and our lock.
func isAt(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(opened, there)
}

func (j *journal) load() (records []record, skipped int, err error) {
	r := bufio.NewReader(j.f)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if len(line) > 0 { // torn: make the next record start on a line of its own
				skipped++
				if err := j.f.Truncate(j.size); err != nil {
					return nil, 0, err
				}
			}
			j.floor = j.liveBytes()
			return records, skipped, nil
		}
		if err != nil {
			return nil, 0, err
		}
		at := span{j.size, len(line)}
		j.size += int64(len(line))
		var rec record
		if json.Unmarshal(line, &rec) != nil {
			skipped++
			continue
		}
		j.index(rec, at)
		records = append(records, rec)
	}
}

func (j *journal) liveBytes() (n int64) {
	for _, spans := range j.live {
		for _, s := range spans {
			n += int64(s.len)
		}
	}
	return n
}

func (j *journal) index(rec record, at span) {
	if rec.Op == opForget {
		delete(j.live, rec.ID)
		return
	}
	j.live[rec.ID] = append(j.live[rec.ID], at)
}

// append writes records with one write, all or none of them.
func (j *journal) append(recs ...record) error {
	var buf bytes.Buffer
	ends := make([]int, len(recs))
	enc := json.NewEncoder(&buf)
	for i, rec := range recs {
		if err := enc.Encode(rec); err != nil {
			return fmt.Errorf("%w: %w", ErrJournal, err)
		}
		ends[i] = buf.Len()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return fmt.Errorf("%w: %w", ErrJournal, j.broken)
	}
	if _, err := j.f.Write(buf.Bytes()); err != nil {
		if terr := j.f.Truncate(j.size); terr != nil {
			j.broken = fmt.Errorf("%s ends in a torn record: %w", j.path, terr)
		}
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	begin := 0
	for i, rec := range recs {
		j.index(rec, span{j.size + int64(begin), ends[i] - begin})
		begin = ends[i]
	}
	j.size += int64(buf.Len())
	if j.size > max(compactAt, 4*j.floor) {
		j.compact()
	}
	return nil
}

// compact rewrites the file with the records of what is not forgotten. When it
// fails the old file goes on; the next attempt is made at twice the size.
func (j *journal) compact() {
	f, live, size, err := j.rewrite()
	if err != nil {
		j.floor = j.size / 2
		return
	}
	j.f.Close()
	j.f, j.live, j.size, j.floor = f, live, size, size
}

func (j *journal) rewrite() (f *os.File, live map[string][]span, size int64, err error) {
	tmp := j.path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, 0, err
	}
	if f, err = openLocked(tmp); err != nil {
		return nil, nil, 0, err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(tmp)
		}
	}()
	live = make(map[string][]span, len(j.live))
	w := bufio.NewWriterSize(f, 64<<10)
	for id, spans := range j.live {
		for _, s := range spans {
			if _, err := io.Copy(w, io.NewSectionReader(j.f, s.off, int64(s.len))); err != nil {
				return nil, nil, 0, err
			}
			live[id] = append(live[id], span{size, s.len})
			size += int64(s.len)
		}
	}
	if err := w.Flush(); err != nil {
		return nil, nil, 0, err
	}
	return f, live, size, os.Rename(tmp, j.path)
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.broken = ErrClosed
	return j.f.Close()
}

// BootID names the uptime of the machine: what was recorded under another one is
// dead, and mono counts from there.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
