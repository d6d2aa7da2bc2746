package agent

import (
	"context"
	"log/slog"

	"github.com/rota-scheduler/rota/scheduling/executor"
	"github.com/rota-scheduler/rota/scheduling/notifier"
)

// newNotifier makes what delivers notifications in a term of this node.
func (a *Agent) newNotifier(log *slog.Logger) *notifier.Notifier {
	return notifier.New(notifier.Config{
		Store: a.store, Propose: a.proposer.Propose, Now: a.clock.Now, Wall: a.seams.Wall,
		Exec: func(ctx context.Context, c notifier.Command) error {
			return a.executor.RunCommand(ctx, executor.Command(c))
		},
		Dial: notifier.DialFunc(a.seams.Dial), Logger: log,
	})
}
