package scheduling

import (
	"context"

	"github.com/rota-scheduler/rota/fsm"
)

// maxEvictions bounds one entry of the log; what is left follows at the next look.
const maxEvictions = 1000

// evict ends what still runs on a node whose time to become empty is over. The
// node itself kills it and says so; a node that cannot is a lost one.
func (l *Leader) evict(ctx context.Context, v *fsm.View, n *fsm.Node) {
	if n.EvictAt == 0 || n.Status == fsm.NodeReady || l.Clock.Now() < n.EvictAt {
		return
	}
	var items []fsm.AttemptRef
	for s := range v.HeldBy(n.ID) {
		if s.State == fsm.ShardRunning && s.Why == "" && len(items) < maxEvictions {
			items = append(items, s.Ref())
		}
	}
	if len(items) == 0 {
		return
	}
	l.Logger.Info("ending what still runs on a node", "node", n.Name, "status", n.Status, "attempts", len(items))
	_, _, err := l.Proposer.Propose(ctx, fsm.OpEvictShards, fsm.EvictShards{At: l.Clock.Now(), Items: items})
	if err != nil && ctx.Err() == nil {
		l.Logger.Warn("work was not ended; trying again", "node", n.Name, "error", err)
		l.pause(ctx)
	}
}
