package notifier

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rota-scheduler/rota/fsm"
)

// environment returns what a command is told, sorted. Our variables win over the
// block's. Zero bytes, which no variable can hold, are left out; the message
// spells them.
func environment(n *fsm.Notification, message []byte) []string {
	env := maps.Clone(n.Target.Env)
	if env == nil {
		env = map[string]string{}
	}
	e := &n.Event
	maps.Copy(env, map[string]string{
		"ROTA_EVENT":            e.Name,
		"ROTA_EVENT_ID":         e.ID,
		"ROTA_EVENT_JSON":       string(message),
		"ROTA_DELIVERY_ATTEMPT": strconv.Itoa(n.Tries + 1),
		"ROTA_NAMESPACE":        e.Namespace,
		"ROTA_JOB":              e.Job,
		"ROTA_RUN_ID":           e.RunID,
		"ROTA_SCHEDULED_AT":     e.ScheduledAt.String(),
		"ROTA_STATE":            string(e.State),
		"ROTA_REASON":           e.Reason,
	})
	if a := e.EventAttempt; a != nil {
		env["ROTA_TASK"] = a.Task
		env["ROTA_SHARD_INDEX"] = strconv.Itoa(a.Shard)
		env["ROTA_ATTEMPT"] = strconv.Itoa(a.Attempt)
		env["ROTA_NODE"] = a.Node
		env["ROTA_EXIT_CODE"] = strconv.Itoa(a.ExitCode)
	}
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+strings.ReplaceAll(value, "\x00", ""))
	}
	slices.Sort(list)
	return list
}
