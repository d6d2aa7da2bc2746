package transport

import (
	"net/http"
	"strconv"
	"time"
)

const (
	defaultWatchInterval = 2 * time.Second
	maxNodeName          = 256
)

// PeerWatchConfig describes the side that is watched.
type PeerWatchConfig struct {
	// Identity is this node's.
	Identity string
	// Incarnation is this process's, and not 0.
	Incarnation uint64
	// Interval is how often a byte is sent. Default 2 s.
	Interval time.Duration
	// OnHello, if given, is told of each watcher as it comes (open) and goes.
	// It may be called concurrently and must not block.
	OnHello func(h Hello, open bool)
}

// ServePeerWatch returns the handler for WatchPath: it says its incarnation and
// holds the connection until the watcher goes or the server stops. The answer
// is never used for anything but its end, which the kernel sends when the
// process dies.
func ServePeerWatch(cfg PeerWatchConfig) http.Handler {
	if cfg.Interval == 0 {
		cfg.Interval = defaultWatchInterval
	}
	if cfg.OnHello == nil {
		cfg.OnHello = func(Hello, bool) {}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hello := helloOf(r)
		w.Header().Set(IdentityHeader, cfg.Identity)
		w.Header().Set(IncarnationHeader, strconv.FormatUint(cfg.Incarnation, 10))
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusOK)
		cfg.OnHello(hello, true)
		defer cfg.OnHello(hello, false)
		beat(w, r, cfg.Interval)
	})
}

// beat sends a byte each interval until somebody goes.
func beat(w http.ResponseWriter, r *http.Request, interval time.Duration) {
	ctl := http.NewResponseController(w)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		// A watcher that reads nothing must not hold the handler.
		if err := ctl.SetWriteDeadline(time.Now().Add(3 * interval)); err != nil {
			return
		}
		if _, err := w.Write([]byte{'\n'}); err != nil {
			return
		}
		if err := ctl.Flush(); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-Closing(r.Context()):
			return
		}
	}
}

func helloOf(r *http.Request) Hello {
	name := r.Header.Get(NodeHeader)
	// A number that is no number is a watcher without one: it is for show only.
	incarnation, _ := strconv.ParseUint(r.Header.Get(IncarnationHeader), 10, 64)
	return Hello{Node: name[:min(len(name), maxNodeName)], Incarnation: incarnation}
}
