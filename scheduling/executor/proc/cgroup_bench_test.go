package proc

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/rota-scheduler/rota/scheduling/executor/proc/cgroup"
)

// BenchmarkStartGroup is the life of an attempt without a control group, with
// one that only tracks, and with limits.
func BenchmarkStartGroup(b *testing.B) {
	limited := StartRequest{CPU: 1, Memory: 256 << 20, Pids: 64}
	for name, req := range map[string]StartRequest{"none": {}, "tracked": {}, "limited": limited} {
		b.Run(name, func(b *testing.B) {
			var ended sync.Map
			h := newHarness(b, Options{OnEnd: func(r Result) {
				if done, ok := ended.LoadAndDelete(r.ID); ok {
					close(done.(chan struct{}))
				}
			}})
			switch {
			case name == "none":
				h.groups = cgroup.None(slog.New(slog.DiscardHandler))
			case h.Capabilities().Tracking == "none", req.CPU != 0 && len(h.Capabilities().Controllers) < 3:
				b.Skipf("this host: %+v", h.Capabilities())
			}
			parallel(b, func(i int) error {
				req, done := req, make(chan struct{})
				req.ID, req.Argv = fmt.Sprint(i), []string{"/bin/true"}
				ended.Store(req.ID, done)
				if err := h.Start(b.Context(), req); err != nil {
					return err
				}
				<-done
				return h.Forget(b.Context(), req.ID)
			})
		})
	}
}
