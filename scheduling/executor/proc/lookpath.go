package proc

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lookPath finds a program as a shell in the attempt's environment would: by
// its PATH, not by ours. A name with a slash is left to the exec, which runs
// after the change of directory.
func lookPath(program, dir string, env []string) (string, error) {
	if strings.Contains(program, "/") {
		return program, nil
	}
	path := defaultPath
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	for _, d := range filepath.SplitList(path) {
		if !filepath.IsAbs(d) {
			d = filepath.Join(dir, d)
		}
		file := filepath.Join(d, program)
		if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("program %q is not in PATH %q", program, path)
}

// explain turns the bare errno of a failed fork and exec into what a person
// can act on: the kernel does not say whether directory or program is missing.
func explain(path, dir string, err error) string {
	if st, serr := os.Stat(dir); serr != nil || !st.IsDir() {
		if serr == nil {
			serr = fs.ErrInvalid
		}
		return fmt.Sprintf("cannot start %s: working directory %s: %v", path, dir, serr)
	}
	return fmt.Sprintf("cannot start %s in %s: %v", path, dir, err)
}
