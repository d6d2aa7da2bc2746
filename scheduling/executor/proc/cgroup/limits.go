package cgroup

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The least values that leave a process able to run at all.
const (
	MinCPU    = 0.01    // cores: the kernel's least quota is 1 ms in 100 ms
	MinMemory = 1 << 20 // bytes
)

// period is the kernel's default, over which a share of CPU time is counted.
const period = 100_000 // µs

// Limits bound everything that an attempt starts, all of it together. The zero
// value of each means: no limit.
type Limits struct {
	// CPU is a hard limit in cores: 0.5 is half of one, 2 is two of them.
	CPU float64
	// Memory is in bytes, page cache included. It cannot be exceeded by swapping.
	Memory int64
	// Pids is how many processes and threads there may be at a time.
	Pids int64
}

// Check says what is wrong with the limits, if anything is. Errors: ErrInvalid.
func (l Limits) Check() error {
	switch {
	case l.CPU != 0 && (math.IsNaN(l.CPU) || l.CPU < MinCPU || l.CPU > math.MaxInt32):
		return fmt.Errorf("%w: cpu must be at least %g cores, got %g", ErrInvalid, MinCPU, l.CPU)
	case l.Memory != 0 && l.Memory < MinMemory:
		return fmt.Errorf("%w: memory must be at least %d bytes, got %d", ErrInvalid, MinMemory, l.Memory)
	case l.Pids < 0:
		return fmt.Errorf("%w: pids must not be negative, got %d", ErrInvalid, l.Pids)
	}
	return nil
}

// None says that nothing is limited.
func (l Limits) None() bool { return l == Limits{} }

// controllers are what these limits need.
func (l Limits) controllers() (names []string) {
	if l.CPU != 0 {
		names = append(names, "cpu")
	}
	if l.Memory != 0 {
		names = append(names, "memory")
	}
	if l.Pids != 0 {
		names = append(names, "pids")
	}
	return names
}

// setting is one file of a group and what is written to it.
type setting struct {
	file, value string
	optional    bool // kernels without swap accounting do not have it
}

// settings of one controller. In version 1 the thread that forks is in the
// group too, for as long as it forks, and must not use up the job's own places.
func (l Limits) settings(controller string, version int) []setting {
	quota := strconv.FormatInt(int64(l.CPU*period), 10)
	memory := strconv.FormatInt(l.Memory, 10)
	switch {
	case controller == "cpu" && version == 2:
		return []setting{{file: "cpu.max", value: fmt.Sprintf("%s %d", quota, period)}}
	case controller == "cpu":
		return []setting{
			{file: "cpu.cfs_period_us", value: strconv.Itoa(period)},
			{file: "cpu.cfs_quota_us", value: quota},
		}
	case controller == "memory" && version == 2:
		return []setting{{file: "memory.max", value: memory}, {file: "memory.swap.max", value: "0", optional: true}}
	case controller == "memory":
		return []setting{
			{file: "memory.limit_in_bytes", value: memory},
			{file: "memory.memsw.limit_in_bytes", value: memory, optional: true},
		}
	case version == 2:
		return []setting{{file: "pids.max", value: strconv.FormatInt(l.Pids, 10)}}
	}
	return []setting{{file: "pids.max", value: strconv.FormatInt(l.Pids+1, 10)}}
}

// Verdict is what limits have done to an attempt.
type Verdict struct {
	// OOM means that the kernel killed a process of it for lack of memory under
	// its limit.
	OOM bool
	// PidsRefused means that a fork was refused because of its limit.
	PidsRefused bool
}

// counter returns the number behind a key in the content of a file of keys and
// numbers; 0 where there is none.
func counter(content, key string) int64 {
	fields := strings.Fields(content)
	i := slices.Index(fields, key)
	if i < 0 || i+1 >= len(fields) {
		return 0
	}
	n, err := strconv.ParseInt(fields[i+1], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
