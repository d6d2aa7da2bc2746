package httpapi

import (
	"net/http"
	"strconv"

	"github.com/rota-scheduler/rota/fsm"
)

// listNotifications serves GET /v1/notifications, the newest first: what waits to
// be delivered, and what has failed or was dropped not long ago.
func (a *API) listNotifications(r *http.Request) (reader, error) {
	q := r.URL.Query()
	ns, err := namespaceFilter(q)
	if err != nil {
		return nil, err
	}
	p, err := pageOf(q, 1)
	if err != nil {
		return nil, err
	}
	before := ^uint64(0)
	if p.after != nil {
		if before, err = strconv.ParseUint(p.after[0], 10, 64); err != nil {
			return nil, badToken(q.Get("page_token"))
		}
	}
	status := fsm.NotificationStatus(q.Get("status"))
	switch status {
	case "", fsm.NotificationPending, fsm.NotificationFailed, fsm.NotificationDropped:
	default:
		return nil, badRequest("status=%s: want one of pending, failed, dropped", status)
	}
	job := q.Get("job")
	matches := func(n *fsm.Notification) bool {
		return n.Seq < before && (ns == everyNamespace || n.Namespace == ns) && (job == "" || n.Job == job) && (status == "" || n.Status == status)
	}
	return func(v views) (reply, error) {
		v.watch.NotifyStats() // every change of the queue changes them
		newest := first[fsm.Notification]{n: p.size + 1, compare: func(a, b fsm.Notification) int { return compareDown(a.Seq, b.Seq) }}
		var changed uint64
		for n := range v.now.Notifications(0) {
			if matches(n) {
				newest.add(*n)
				changed = max(changed, n.ModifyIndex)
			}
		}
		return reply{newest: changed, body: listOf(newest.sorted(), p, v.index(), func(n *fsm.Notification) []string {
			return []string{strconv.FormatUint(n.Seq, 10)}
		})}, nil
	}, nil
}
