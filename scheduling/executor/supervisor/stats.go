package supervisor

import (
	"context"
	"runtime/metrics"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what a process has used since it started.
type Usage struct {
	// CPU is the processor time of all its threads, without its children's.
	CPU time.Duration `json:"cpu"`
	// Bytes and Objects were allocated on its heap, those that are free again
	// included.
	Bytes   uint64 `json:"bytes"`
	Objects uint64 `json:"objects"`
	// Collections of its garbage.
	Collections uint64 `json:"collections"`
	// Frames it has sent through the socket between an agent and its supervisor.
	Frames uint64 `json:"frames"`
}

// OwnUsage reads the counters of this process, which the kernel and the runtime
// keep anyway, all but Frames.
func OwnUsage() (u Usage) {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) == nil { // it cannot fail with these
		u.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/allocs:objects"},
		{Name: "/gc/heap/tiny/allocs:objects"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(samples)
	u.Bytes = samples[0].Value.Uint64()
	u.Objects = samples[1].Value.Uint64() + samples[2].Value.Uint64() // those that share a block
	u.Collections = samples[3].Value.Uint64()
	return u
}

// Usage returns what the supervisor has used. It reads that only when it is asked.
// An older one answers ErrUnsupported.
func (c *Client) Usage(ctx context.Context) (Usage, error) {
	r, err := c.call(ctx, request{Op: opUsage})
	if err != nil || r.Usage == nil {
		return Usage{}, err
	}
	return *r.Usage, nil
}

// Sent returns how many frames this client has sent.
func (c *Client) Sent() uint64 { return c.out.sent() }

func (s *session) usage(context.Context, request) (reply, error) {
	u := OwnUsage()
	u.Frames = s.out.sent()
	return reply{Usage: &u}, nil
}
