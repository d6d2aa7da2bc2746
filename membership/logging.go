package membership

import (
	"bytes"
	"context"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// newStdLogger returns a logger for memberlist, which prints lines such as
// "[WARN] memberlist: text", that passes them to slog at their level.
func newStdLogger(logger *slog.Logger) *log.Logger {
	return log.New(&prefixWriter{logger: logger}, "", 0)
}

type prefixWriter struct{ logger *slog.Logger }

var prefixLevels = map[string]slog.Level{
	"[DEBUG]": slog.LevelDebug,
	"[INFO]":  slog.LevelInfo,
	"[WARN]":  slog.LevelWarn,
	"[ERR]":   slog.LevelError,
	"[ERROR]": slog.LevelError,
}

// Write takes one line; log.Logger calls it once per message.
func (w *prefixWriter) Write(line []byte) (int, error) {
	text := bytes.TrimSpace(line)
	level := slog.LevelInfo
	if prefix, rest, ok := bytes.Cut(text, []byte(" ")); ok {
		if known, ok := prefixLevels[string(prefix)]; ok {
			level, text = known, rest
		}
	}
	text = bytes.TrimPrefix(text, []byte("memberlist: "))
	w.logger.Log(context.Background(), level, string(text), "component", "memberlist")
	return len(line), nil
}

// hclogSink passes autopilot's messages to slog.
type hclogSink struct{ logger *slog.Logger }

func (s hclogSink) Accept(_ string, level hclog.Level, msg string, args ...any) {
	s.logger.Log(context.Background(), slogLevel(level), msg, append(args, "component", "autopilot")...)
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
