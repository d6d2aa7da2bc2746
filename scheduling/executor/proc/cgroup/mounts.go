package cgroup

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/cgroups/v3"
)

// mount is a hierarchy and where this process stands in it.
type mount struct {
	point string // where it is mounted
	own   string // the group of this process, as a directory below point
}

// mounts are the hierarchies of this host that this process can see.
type mounts struct {
	v2 *mount
	v1 map[string]mount // by controller
}

// findMounts reads the mounts and the groups of this process.
func findMounts() (mounts, error) {
	own, unified, err := cgroups.ParseCgroupFileUnified("/proc/self/cgroup")
	if err != nil {
		return mounts{}, fmt.Errorf("read own control groups: %w", err)
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return mounts{}, fmt.Errorf("find control groups: %w", err)
	}
	defer f.Close()
	return parseMounts(f, own, unified)
}

// parseMounts reads lines of mountinfo: root and mount point are the fields 3
// and 4; behind a lone "-" come type, source and the options of the hierarchy.
func parseMounts(r io.Reader, own map[string]string, unified string) (mounts, error) {
	found := mounts{v1: make(map[string]mount)}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		root, point := left[3], left[4]
		switch right[0] {
		case "cgroup2":
			if m, ok := below(root, point, unified); ok && found.v2 == nil {
				found.v2 = &m
			}
		case "cgroup":
			for _, name := range strings.Split(right[2], ",") {
				if m, ok := below(root, point, own[name]); ok && own[name] != "" {
					found.v1[name] = m
				}
			}
		}
	}
	return found, lines.Err()
}

// below maps a group to its directory, if the mount shows it.
func below(root, point, group string) (mount, bool) {
	rel, err := filepath.Rel(root, group)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return mount{}, false
	}
	return mount{point: point, own: filepath.Join(point, rel)}, true
}
