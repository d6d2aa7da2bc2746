package sim

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

// logHandler shows the agents' logs, with virtual times, when ROTA_SIM_LOG names
// a level; otherwise a simulation is silent.
type logHandler struct {
	node  string
	t     *testing.T
	attrs []slog.Attr
}

func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	var min slog.Level
	want := os.Getenv("ROTA_SIM_LOG")
	return want != "" && min.UnmarshalText([]byte(want)) == nil && level >= min
}

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %s", time.Now().UTC().Format("01-02 15:04:05.000000"), h.node, r.Level, r.Message)
	add := func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	fmt.Fprintln(os.Stderr, b.String())
	return nil
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.node, h.t, append(append([]slog.Attr{}, h.attrs...), attrs...)}
}

func (h *logHandler) WithGroup(string) slog.Handler { return h }
