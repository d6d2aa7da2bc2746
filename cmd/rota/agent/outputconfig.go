package agent

import (
	"fmt"
	"strconv"
	"time"

	"github.com/rota-scheduler/rota/scheduling/jobspec"
)

// How much output a node keeps if nobody says otherwise, and the least that can be
// asked for: less would go before anybody has read it.
const (
	defaultOutputAge  = 7 * 24 * time.Hour
	defaultOutputSize = 10 << 30
	minOutputAge      = time.Minute
	minOutputSize     = 1 << 20
)

func (c *Config) completeOutput() error {
	if c.OutputMaxAge == 0 {
		c.OutputMaxAge = defaultOutputAge
	}
	if c.OutputMaxSize == 0 {
		c.OutputMaxSize = defaultOutputSize
	}
	if c.OutputMaxAge < minOutputAge {
		return fmt.Errorf("%w: --output-max-age %s: want %s or more", ErrBadConfig, c.OutputMaxAge, minOutputAge)
	}
	if c.OutputMaxSize < minOutputSize {
		return fmt.Errorf("%w: --output-max-size %d bytes: want %d or more, such as 10GiB", ErrBadConfig, c.OutputMaxSize, minOutputSize)
	}
	return nil
}

// sizeFlag is a flag in the words of job files.
type sizeFlag int64

// Set reads the flag.
func (s *sizeFlag) Set(text string) error {
	n, err := jobspec.ParseSize(text)
	*s = sizeFlag(n)
	return err
}

// String writes the flag, in the largest unit that divides it.
func (s *sizeFlag) String() string {
	for _, u := range []struct {
		suffix string
		bytes  int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n := int64(*s); n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(*s), 10) + "B"
}

// Type names what the flag takes.
func (s *sizeFlag) Type() string { return "size" }
