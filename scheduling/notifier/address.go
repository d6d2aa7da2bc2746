package notifier

import (
	"reflect"
	"slices"

	"github.com/rota-scheduler/rota/fsm"
)

// addressed returns a notification as it is to be delivered now: to the receiver
// that its event was told to, or, if a newer version of the job has changed that
// notify block, by the block as it is now. A wrong URL can so be corrected for what
// waits. A block that stands in the new version as it was, at whatever place, has
// not changed; one that is gone, or of another kind, or tells of other events, is
// another one, and so is any block of a job that is gone.
func addressed(v *fsm.View, n *fsm.Notification) *fsm.Notification {
	job := v.Job(n.JobKey())
	if job == nil || job.Deleting || job.Version <= n.Version || n.Target == nil {
		return n
	}
	version := v.Version(n.JobKey(), job.Version)
	if version == nil {
		return n
	}
	blocks := version.Spec().Notify
	if n.Block >= len(blocks) {
		return n
	}
	same := func(b fsm.Notify) bool { return reflect.DeepEqual(b, *n.Target) }
	now := &blocks[n.Block]
	if slices.ContainsFunc(blocks, same) || now.Kind != n.Kind || !slices.Contains(now.On, n.Name) {
		return n
	}
	corrected := *n
	corrected.Target, corrected.To = now, now.To()
	return &corrected
}
