package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Tree returns the process and all its descendants. What starts or ends while
// it looks may be missing.
func Tree(pid int) []int {
	all := []int{pid}
	for _, child := range children(pid) {
		all = append(all, Tree(child)...)
	}
	return all
}

func children(pid int) []int {
	var all []int
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is right
	for _, path := range lists {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(all, child)
			}
		}
	}
	return all
}

// OpenFiles counts the open files of a process; 0 if it has ended.
func OpenFiles(pid int) int {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0
	}
	return len(list)
}

// replaced is what the kernel appends to the path of a file that is no longer there.
const replaced = " (deleted)"

// sameProgram says whether both processes were started from the same path. What
// lies there may have been replaced in between.
func sameProgram(a, b int) bool {
	x, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", a))
	if err != nil {
		return false // it has ended
	}
	y, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", b))
	return err == nil && strings.TrimSuffix(x, replaced) == strings.TrimSuffix(y, replaced)
}

// supervisedVariable is in the environment of an agent proper.
const supervisedVariable = "ROTA_SUPERVISOR_FD="

// supervised says whether a process of the program is an agent proper. A process
// of a job is one of its supervisor's program too, with the environment of that,
// from its fork to its exec.
func supervised(pid int) bool {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && (strings.HasPrefix(string(environ), supervisedVariable) || strings.Contains(string(environ), "\x00"+supervisedVariable))
}
