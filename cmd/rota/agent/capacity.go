package agent

import (
	"fmt"
	"math"
	"strconv"

	"github.com/rota-scheduler/rota/fsm"
)

// AutoCapacity, as Config.Capacity, stands for what follows from the machine.
const AutoCapacity = math.MinInt

// What the capacity of a machine follows from: the default of 100 is that of four
// cores with eight GiB.
const (
	capacityPerCore     = 25
	capacityPerEightGiB = 100
)

// autoCapacity is 25 for each core or 12.5 for each GiB of memory, whichever is
// less, and at least 1. Memory of 0 bytes is not known, and bounds nothing.
func autoCapacity(cores int, memory int64) int {
	capacity := int64(cores) * capacityPerCore
	if memory > 0 {
		capacity = min(capacity, memory>>20*capacityPerEightGiB/(8<<10))
	}
	return int(min(max(capacity, 1), fsm.MaxWeight))
}

// capacityFlag is --capacity: a number, or auto.
type capacityFlag struct{ n *int }

func (f capacityFlag) String() string {
	if f.n == nil || *f.n == 0 {
		return ""
	}
	return strconv.Itoa(*f.n)
}

// Set reads the flag, or the attribute of the configuration file.
func (f capacityFlag) Set(s string) error {
	if s == "auto" {
		*f.n = AutoCapacity
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > fsm.MaxWeight {
		return fmt.Errorf("%q: want 1 to %d, or auto", s, fsm.MaxWeight)
	}
	*f.n = n
	return nil
}

// Type names the flag's value in the help.
func (capacityFlag) Type() string { return "N|auto" }
