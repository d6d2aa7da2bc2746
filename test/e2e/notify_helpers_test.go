package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/notifier"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

const hookSecret = "e2e-hook-secret"

// hookServer is a receiver of webhooks. What it has answered for it never forgets.
type hookServer struct {
	t *testing.T
	*httptest.Server
	// delay is how long it takes over each request. A sender that dies meanwhile
	// was never heard.
	delay time.Duration
	// broken: it answers 500. hanging: it answers nothing.
	broken, hanging atomic.Bool

	mu  sync.Mutex
	got map[string][]notifier.Message // by event ID, each request
}

func newHookServer(t *testing.T, delay time.Duration) *hookServer {
	h := &hookServer{t: t, delay: delay, got: map[string][]notifier.Message{}}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.stop)
	return h
}

// stop cuts off what hangs first: the server waits for its requests.
func (h *hookServer) stop() {
	h.CloseClientConnections()
	h.Close()
}

func (h *hookServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch {
	case h.hanging.Load():
		<-r.Context().Done()
		return
	case h.broken.Load():
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	select {
	case <-r.Context().Done():
		return
	case <-time.After(h.delay):
	}
	var m notifier.Message
	if err := json.Unmarshal(body, &m); err != nil {
		h.t.Errorf("a message that is no JSON: %v: %s", err, body)
	}
	if want := notifier.Sign(hookSecret, r.Header.Get(notifier.HeaderTimestamp), body); r.Header.Get(notifier.HeaderSignature) != want || m.ID != r.Header.Get(notifier.HeaderEventID) {
		h.t.Errorf("a message whose signature or ID is wrong: %v", r.Header)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got[m.ID] = append(h.got[m.ID], m)
}

// requests returns what has arrived so far, by event ID.
func (h *hookServer) requests() map[string][]notifier.Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.got)
}

// hook is a block that tells of the events by a path of its own.
func (h *hookServer) hook(path string, on ...string) []fsm.Notify {
	return []fsm.Notify{{
		Kind: fsm.NotifyWebhook, On: on, URL: h.URL + "/" + path, Secret: hookSecret,
		Timeout: fsm.Duration(2 * time.Second),
	}}
}

// told names what a message tells, apart from its ID.
func told(m notifier.Message) string {
	if m.EventAttempt != nil && m.Name != fsm.EventFailure {
		return fmt.Sprintf("%s %s %s/%d/%d", m.Name, m.RunID, m.Task, m.Shard, m.Attempt)
	}
	return m.Name + " " + m.RunID
}

// waitDelivered returns once nothing of the job waits to be delivered.
func waitDelivered(t *testing.T, c *cluster.Cluster, job string) {
	t.Helper()
	cluster.Eventually(t, 2*settleWithin, "the delivery of what "+job+" has told", func() error {
		waiting, err := notificationsOf(t.Context(), c, job)
		if err != nil || len(waiting) == 0 {
			return err
		}
		return fmt.Errorf("%d wait; the oldest after %d tries: %s", len(waiting), waiting[len(waiting)-1].Tries, waiting[len(waiting)-1].LastError)
	})
}

func notificationsOf(ctx context.Context, c *cluster.Cluster, job string) ([]fsm.Notification, error) {
	list, err := c.Up()[0].Client().Notifications(ctx, api.NotificationFilter{Job: job}, api.Page{PerPage: 10_000}, api.Read{Consistent: true})
	return list.Items, err
}
