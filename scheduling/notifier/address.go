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
	blocks map[version][]fsm.Notify
}

type version struct {
	job    fsm.JobKey
	number uint64
}

func newAddresses(v *fsm.View) *addresses {
	return &addresses{v: v, blocks: map[version][]fsm.Notify{}}
}

// of returns a notification as it is to be delivered now: to the receiver that its
// event was told to, or, if a newer version of the job has changed that notify
// block, by the block as it is now. A wrong URL can so be corrected for what waits.
// A block that stands in the new version as it was, at whatever place, has not
// changed; one that is gone, or of another kind, or tells of other events, is
// another one, and so is any block of a job that is gone, or one that stood in the
// event's version already.
func (a *addresses) of(n *fsm.Notification) *fsm.Notification {
	job := a.v.Job(n.JobKey())
	if job == nil || job.Deleting || job.Version <= n.Version || n.Target == nil {
		return n
	}
	blocks := a.blocksOf(version{job.Key(), job.Version})
	if n.Block >= len(blocks) {
		return n
	}
	now := &blocks[n.Block]
	if contains(blocks, n.Target) || now.Kind != n.Kind || !slices.Contains(now.On, n.Name) {
		return n
	}
	if contains(a.blocksOf(version{job.Key(), n.Version}), now) {
		return n // it has moved up: one before it is gone
	}
	corrected := *n
	corrected.Target, corrected.To = now, now.To()
	return &corrected
}

func contains(blocks []fsm.Notify, block *fsm.Notify) bool {
	return slices.ContainsFunc(blocks, func(b fsm.Notify) bool { return reflect.DeepEqual(b, *block) })
}

// blocksOf returns the notify blocks of a version, none if that is not kept.
func (a *addresses) blocksOf(of version) []fsm.Notify {
	blocks, known := a.blocks[of]
	if known {
		return blocks
	}
	if kept := a.v.Version(of.job, of.number); kept != nil {
		blocks = kept.Spec().Notify
	}
	a.blocks[of] = blocks
	return blocks
}
