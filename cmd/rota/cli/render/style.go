package render

import (
	"github.com/rota-scheduler/rota/fsm"
)

// Style is how a word looks on a terminal that takes colors.
type Style string

// Styles, as parameters of the terminal's "select graphic rendition".
const (
	Plain Style = ""
	Bold  Style = "1"
	Dim   Style = "2"
	Good  Style = "32"
	Bad   Style = "31"
	Warn  Style = "33"
	Busy  Style = "36"
)

// Paint wraps text in the style if color is set.
func Paint(text string, style Style, color bool) string {
	if !color || style == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}

// StateStyle returns the style of a state of a run, task, shard or attempt, or
// of an outcome.
func StateStyle[S ~string](state S) Style {
	switch string(state) {
	case string(fsm.RunSucceeded), fsm.OutcomeRan:
		return Good
	case string(fsm.RunFailed), string(fsm.TaskUpstreamFailed), string(fsm.NotificationDropped), fsm.AttemptTimeout,
		fsm.AttemptStartFailed, fsm.AttemptKilled, fsm.AttemptLost:
		return Bad
	case string(fsm.RunRunning):
		return Busy
	case string(fsm.RunCancelled), string(fsm.ShardRetracting), fsm.OutcomeSkipped:
		return Warn
	default:
		return Dim
	}
}

// NodeStyle returns the style of a node's status.
func NodeStyle(status fsm.NodeStatus) Style {
	switch status {
	case fsm.NodeReady:
		return Good
	case fsm.NodeDown, fsm.NodeLeft:
		return Bad
	default:
		return Warn
	}
}
