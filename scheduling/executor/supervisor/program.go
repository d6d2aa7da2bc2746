package supervisor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// program returns the path from which this process was started, so that what
// lies there later, behind a symbolic link too, is what is started then. Where
// the name it was called by leads elsewhere it is the file that runs now.
func program() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding the program: %w", err)
	}
	called, err := exec.LookPath(os.Args[0])
	if err != nil {
		return self, nil
	}
	if called, err = filepath.Abs(called); err != nil {
		return self, nil
	}
	running, err := os.Stat("/proc/self/exe")
	if err != nil {
		return self, nil
	}
	if there, err := os.Stat(called); err == nil && os.SameFile(there, running) {
		return called, nil
	}
	return self, nil
}
