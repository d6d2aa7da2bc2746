package notifier

import (
	"reflect"
	"slices"

	"github.com/rota-scheduler/rota/fsm"
)

// addresses finds the receivers of notifications in one view. To look at the content
// of a job takes decoding it, so each is looked at once.
type addresses struct {
	v      *fsm.View
	blocks map[fsm.JobKey][]fsm.Notify
}

func newAddresses(v *fsm.View) *addresses {
	return &addresses{v: v, blocks: map[fsm.JobKey][]fsm.Notify{}}
}

// of returns a notification as it is to be delivered now: to the receiver that its
// event was told to, or, if a newer version of the job has changed that notify
// block, by the block as it is now. A wrong URL can so be corrected for what waits.
// A block that stands in the new version as it was, at whatever place, has not
// changed; one that is gone, or of another kind, or tells of other events, is
// another one, and so is any block of a job that is gone.
func (a *addresses) of(n *fsm.Notification) *fsm.Notification {
	job := a.v.Job(n.JobKey())
	if job == nil || job.Deleting || job.Version <= n.Version || n.Target == nil {
		return n
	}
	blocks := a.blocksOf(job)
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

func (a *addresses) blocksOf(job *fsm.Job) []fsm.Notify {
	blocks, known := a.blocks[job.Key()]
	if version := a.v.Version(job.Key(), job.Version); !known && version != nil {
		blocks = version.Spec().Notify
	}
	a.blocks[job.Key()] = blocks
	return blocks
}
