package supervisor
import "log/slog"
var _ = slog.Default
func playAgent(string) int { return 0 }
func playSupervisor(string) int { return 0 }
