package jobspec

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Limits of what one call takes.
const (
	// MaxFileBytes bounds a file that ReadFiles reads by its name.
	MaxFileBytes = 1 << 20
	// MaxSourceBytes bounds standard input, and any one Source given to Decode:
	// the body of a request may hold what a person keeps in several files.
	MaxSourceBytes = 4 << 20
	// MaxTotalBytes bounds all sources of one call together.
	MaxTotalBytes = 32 << 20
	// MaxFiles is the largest number of files in one call.
	MaxFiles = 1000
)

// StdinName is the Name of the Source that was read from standard input.
const StdinName = "<stdin>"

// fileSuffix marks the files of a folder that are job files.
const fileSuffix = ".hcl"

// Source is one file's text. Name stands in the diagnostics.
type Source struct {
	Name  string
	Bytes []byte
}

// ReadFiles reads job files in the order of paths. A path is a file, "-" for
// stdin (once), or a folder, which stands for the *.hcl files directly in it in
// the order of their names, hidden files left out. Its errors wrap ErrTooLarge,
// ErrTooManyFiles, ErrNoFiles or the error of the file system.
func ReadFiles(paths []string, stdin io.Reader) ([]Source, error) {
	files, err := expand(paths)
	if err != nil {
		return nil, err
	}
	sources := make([]Source, 0, len(files))
	total, stdinRead := 0, false
	for _, file := range files {
		if file == "-" && stdinRead {
			return nil, errors.New("- stands twice, and standard input can be read once: name it once")
		}
		stdinRead = stdinRead || file == "-"
		src, err := readFile(file, stdin)
		if err != nil {
			return nil, err
		}
		if total += len(src.Bytes); total > MaxTotalBytes {
			return nil, fmt.Errorf("the job files together are %w: use at most %d bytes in one call", ErrTooLarge, MaxTotalBytes)
		}
		sources = append(sources, src)
	}
	return sources, nil
}

// expand puts the files of folders in place of the folders.
func expand(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		inside, err := expandOne(path)
		if err != nil {
			return nil, err
		}
		files = append(files, inside...)
		if len(files) > MaxFiles {
			return nil, fmt.Errorf("%w: use at most %d in one call", ErrTooManyFiles, MaxFiles)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w are given: name files, a folder, or - for standard input", ErrNoFiles)
	}
	return files, nil
}

func expandOne(path string) ([]string, error) {
	if path == "-" {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("job file: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("folder of job files: %w", err)
	}
	var files []string
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || strings.HasPrefix(name, ".") || !strings.HasSuffix(name, fileSuffix) {
			continue
		}
		files = append(files, filepath.Join(path, name))
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w in the folder %s: it has no file named *%s", ErrNoFiles, path, fileSuffix)
	}
	return files, nil
}

func readFile(path string, stdin io.Reader) (Source, error) {
	if path == "-" {
		return readBounded(StdinName, stdin, MaxSourceBytes)
	}
	f, err := os.Open(path)
	if err != nil {
		return Source{}, fmt.Errorf("job file: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	return readBounded(path, f, MaxFileBytes)
}

func readBounded(name string, r io.Reader, limit int) (Source, error) {
	text, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return Source{}, fmt.Errorf("job file %s: %w", name, err)
	}
	if len(text) > limit {
		return Source{}, fmt.Errorf("job file %s is %w: use at most %d bytes, or several files", name, ErrTooLarge, limit)
	}
	return Source{Name: name, Bytes: text}, nil
}
