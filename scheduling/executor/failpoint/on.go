//go:build failpoints

package failpoint

import (
	"os"
	"strings"
	"syscall"
)

// Variable names the file that holds the point to die at.
const Variable = "ROTA_FAILPOINT"

// Hit ends the process if this is the point to die at.
func Hit(point string) {
	file := os.Getenv(Variable)
	if file == "" {
		return
	}
	want, err := os.ReadFile(file)
	if err != nil || strings.TrimSpace(string(want)) != point {
		return
	}
	if os.Remove(file) != nil {
		return // another thread came first
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the kill may take an instant, in which nothing more may happen here
}
