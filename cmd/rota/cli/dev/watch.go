package dev

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// Times of watching.
const (
	nodesEvery = 500 * time.Millisecond
	askWithin  = time.Second
	// again is the pause before the next node is asked.
	again = 100 * time.Millisecond
	// catchUp is how many runs are read when a stream begins.
	catchUp = 200
	// maxPlaced bounds what is remembered of runs whose end was not told.
	maxPlaced = 10_000
)

// update is one piece of news for the loop; one field is set.
type update struct {
	run    *runRow
	fire   *fsm.Fire
	nodes  []api.Node
	notice string
}

// watcher asks the nodes what happens, each in turn until one answers.
type watcher struct {
	clients []*api.Client
	updates chan<- update
	// last is the index of the newest event, of whichever node.
	last uint64
	// placed holds the active runs whose node is known.
	placed map[string]bool
}

func (w *watcher) send(ctx context.Context, u update) {
	select {
	case w.updates <- u:
	case <-ctx.Done():
	}
}

// watchNodes reads the nodes again and again until ctx ends.
func (w *watcher) watchNodes(ctx context.Context) error {
	for i := 0; sleep(ctx, nodesEvery); {
		ask, cancel := context.WithTimeout(ctx, askWithin)
		list, err := w.clients[i].Nodes(ask, api.Page{}, api.Read{})
		cancel()
		if err != nil {
			i = (i + 1) % len(w.clients)
			continue
		}
		w.send(ctx, update{nodes: list.Items})
	}
	return nil
}

// watchRuns follows the events of one node, and those of the next when it is
// gone, until ctx ends.
func (w *watcher) watchRuns(ctx context.Context) error {
	w.placed = map[string]bool{}
	for i := 0; ctx.Err() == nil; i++ {
		w.stream(ctx, w.clients[i%len(w.clients)])
		sleep(ctx, again)
	}
	return nil
}

// stream reads the newest runs of a node and then its events, until it fails:
// the next node is asked then.
func (w *watcher) stream(ctx context.Context, client *api.Client) {
	ask, cancel := context.WithTimeout(ctx, askWithin)
	list, err := client.Runs(ask, api.RunFilter{Namespace: api.AllNamespaces}, api.Page{PerPage: catchUp}, api.Read{})
	cancel()
	if err != nil {
		return
	}
	slices.Reverse(list.Items)
	for i := range list.Items {
		w.sendRun(ctx, client, &list.Items[i])
	}
	if w.last == 0 {
		w.last = list.Index
	}
	for e, err := range client.Events(ctx, w.last) {
		if err != nil {
			return
		}
		w.last = e.Index
		switch {
		case e.Run != nil:
			w.sendRun(ctx, client, e.Run)
		case e.Fire != nil:
			w.send(ctx, update{fire: e.Fire})
		}
	}
}

// sendRun sends a run with its node, which it asks for where that is news: once
// the run has started, and at the end of one whose tasks may be on several.
func (w *watcher) sendRun(ctx context.Context, client *api.Client, run *fsm.Run) {
	row := &runRow{run: *run}
	ended := run.State.Ended()
	if run.StartedAt != 0 && (!w.placed[run.ID] || (ended && run.TasksTotal > 1)) {
		ask, cancel := context.WithTimeout(ctx, askWithin)
		if full, _, err := client.Run(ask, run.ID, api.Read{}); err == nil {
			row.node = nodesOf(&full)
		}
		cancel()
		if len(w.placed) >= maxPlaced {
			clear(w.placed)
		}
		w.placed[run.ID] = row.node != ""
	}
	if ended {
		delete(w.placed, run.ID)
	}
	w.send(ctx, update{run: row})
}

// nodesOf names the nodes that a run has used, in the order of its tasks.
func nodesOf(run *api.Run) string {
	var names []string
	for i := range run.Tasks {
		for j := range run.Tasks[i].Items {
			shard := &run.Tasks[i].Items[j]
			if shard.Current.StartedAt != 0 && shard.NodeName != "" && !slices.Contains(names, shard.NodeName) {
				names = append(names, shard.NodeName)
			}
		}
	}
	return strings.Join(names, ",")
}

// sleep returns whether ctx still holds after that time.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
