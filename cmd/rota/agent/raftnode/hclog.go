package raftnode

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

// NewHCLog returns a logger for hashicorp libraries that writes to logger.
// Trace is mapped to Debug. The level is logger's own: SetLevel does nothing.
func NewHCLog(logger *slog.Logger) hclog.Logger {
	return &hcLogger{slog: logger, repeats: newRepeats()}
}

type hcLogger struct {
	slog    *slog.Logger
	name    string
	args    []any
	repeats *repeats
}

func slogLevel(level hclog.Level) slog.Level {
	switch level {
	case hclog.Trace, hclog.Debug:
		return slog.LevelDebug
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Error:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// earlyAnnouncement is how raft warns of an append behind an entry that it does not
// hold: to a follower that lags a little, every announcement of a commit is one.
const earlyAnnouncement = "failed to get previous log"

func (l *hcLogger) Log(level hclog.Level, msg string, args ...any) {
	lv := slogLevel(level)
	if msg == earlyAnnouncement {
		lv = slog.LevelDebug
	}
	if level == hclog.Off || !l.slog.Enabled(context.Background(), lv) {
		return
	}
	rendered := render(args)
	if lv >= slog.LevelWarn {
		held, ok := l.repeats.pass(repeatKey(msg, rendered), time.Now())
		if !ok {
			return
		}
		if held > 0 {
			rendered = append(rendered, "repeated", held)
		}
	}
	l.slog.Log(context.Background(), lv, msg, rendered...)
}

// render turns the lazily formatted values of hclog, which slog does not know,
// into text.
func render(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case hclog.Format:
			if len(v) > 0 {
				out[i] = fmt.Sprintf(fmt.Sprint(v[0]), v[1:]...)
			}
		case fmt.Stringer:
			out[i] = v.String()
		default:
			out[i] = a
		}
	}
	return out
}

func (l *hcLogger) Trace(msg string, args ...any) { l.Log(hclog.Trace, msg, args...) }
func (l *hcLogger) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }
func (l *hcLogger) Info(msg string, args ...any)  { l.Log(hclog.Info, msg, args...) }
func (l *hcLogger) Warn(msg string, args ...any)  { l.Log(hclog.Warn, msg, args...) }
func (l *hcLogger) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }

func (l *hcLogger) enabled(level slog.Level) bool {
	return l.slog.Enabled(context.Background(), level)
}

func (l *hcLogger) IsTrace() bool { return l.enabled(slog.LevelDebug) }
func (l *hcLogger) IsDebug() bool { return l.enabled(slog.LevelDebug) }
func (l *hcLogger) IsInfo() bool  { return l.enabled(slog.LevelInfo) }
func (l *hcLogger) IsWarn() bool  { return l.enabled(slog.LevelWarn) }
func (l *hcLogger) IsError() bool { return l.enabled(slog.LevelError) }

func (l *hcLogger) ImpliedArgs() []any { return l.args }

func (l *hcLogger) With(args ...any) hclog.Logger {
	return &hcLogger{
		slog:    l.slog.With(render(args)...),
		name:    l.name,
		args:    append(append([]any{}, l.args...), args...),
		repeats: l.repeats,
	}
}

func (l *hcLogger) Name() string { return l.name }

func (l *hcLogger) Named(name string) hclog.Logger {
	if l.name != "" {
		name = l.name + "." + name
	}
	return l.ResetNamed(name)
}

func (l *hcLogger) ResetNamed(name string) hclog.Logger {
	return &hcLogger{slog: l.slog, name: name, args: l.args, repeats: l.repeats}
}

func (l *hcLogger) SetLevel(hclog.Level) {}

func (l *hcLogger) GetLevel() hclog.Level {
	for _, level := range []hclog.Level{hclog.Debug, hclog.Info, hclog.Warn, hclog.Error} {
		if l.enabled(slogLevel(level)) {
			return level
		}
	}
	return hclog.Off
}

func (l *hcLogger) StandardLogger(opts *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(l.StandardWriter(opts), "", 0)
}

func (l *hcLogger) StandardWriter(*hclog.StandardLoggerOptions) io.Writer {
	return lineWriter{l}
}

type lineWriter struct{ log *hcLogger }

func (w lineWriter) Write(p []byte) (int, error) {
	w.log.Info(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
