package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
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
func explain(path string, req StartRequest, err error) string {
	if st, serr := os.Stat(req.Dir); serr != nil || !st.IsDir() {
		if serr == nil {
			serr = unix.ENOTDIR
		}
		return fmt.Sprintf("cannot start %s: working directory %s: %v", path, req.Dir, serr)
	}
	as := ""
	if req.User != "" {
		as = " as user " + req.User
	}
	return fmt.Sprintf("cannot start %s in %s%s: %v", path, req.Dir, as, err)
}
