package fsm

import (
	"fmt"
	"iter"
)

// NotificationStatus is where a notification stands.
type NotificationStatus string

// Statuses of a notification. One that was delivered is forgotten.
const (
	NotificationPending NotificationStatus = "pending"
	// NotificationFailed: every try failed.
	NotificationFailed NotificationStatus = "failed"
	// NotificationDropped: the queue was full, and it was the oldest.
	NotificationDropped NotificationStatus = "dropped"
)

// Notification is an event on its way to one receiver.
type Notification struct {
	Event `codec:"ev"`
	// Seq numbers the notifications of the cluster in the order of the log.
	Seq uint64 `codec:"q" json:"seq"`
	// Block is the place of the notify block in its job, from 0.
	Block int `codec:"b,omitempty" json:"block"`
	// Kind and To say what the receiver is, see Notify.
	Kind string `codec:"k" json:"kind"`
	To   string `codec:"to,omitempty" json:"to"`
	// Target is the block as it was when the event happened; nil once nothing is
	// to be delivered any more.
	Target *Notify            `codec:"ta,omitempty" json:"-"`
	Status NotificationStatus `codec:"st" json:"status"`
	// Tries counts the deliveries that failed; NextAt is when the next is due.
	Tries  int  `codec:"n,omitempty" json:"tries"`
	NextAt Time `codec:"na,omitempty" json:"next_at"`
	// LastError says why the last one failed, or why there will be none.
	LastError   string `codec:"le,omitempty" json:"last_error,omitempty"`
	ModifyIndex uint64 `codec:"mi" json:"modify_index"`
}

// Bounds of the queue.
const (
	// MaxNotifications are pending in the cluster, MaxJobNotifications of them of
	// one job. With one more, the oldest is dropped.
	MaxNotifications    = 5000
	MaxJobNotifications = 200
	// MaxKeptNotifications have failed or were dropped, and are kept to be seen.
	MaxKeptNotifications = 500
)

// NotifyStats counts notifications. The counts only grow, except for Pending and
// Kept.
type NotifyStats struct {
	// Seq is the number of the latest notification.
	Seq uint64 `codec:"q" json:"seq"`
	// Pending and Kept are how many there are now that wait, and that have failed
	// or were dropped.
	Pending int `codec:"p" json:"pending"`
	Kept    int `codec:"k" json:"kept"`
	// Delivered, Failed and Dropped count what became of those before; Retried
	// counts tries that failed and were followed by another.
	Delivered uint64 `codec:"d" json:"delivered"`
	Failed    uint64 `codec:"f" json:"failed"`
	Dropped   uint64 `codec:"x" json:"dropped"`
	Retried   uint64 `codec:"r" json:"retried"`
}

// RecordDeliveries says what became of tries to deliver notifications; each
// answer stands at its delivery's place.
type RecordDeliveries struct {
	At         Time       `codec:"at"`
	Deliveries []Delivery `codec:"d"`
}

// Delivery is the outcome of one try.
type Delivery struct {
	Seq uint64 `codec:"q"`
	// Try counts from 1. A try that was recorded already changes nothing.
	Try int `codec:"n"`
	// Error says why it failed; empty means that it was delivered.
	Error string `codec:"e,omitempty"`
	// Next is when to try again; unset: never.
	Next Time `codec:"t,omitempty"`
}

// addNotification puts a notification at the end of the queue, and drops the
// oldest ones that are too many: of its job, then of the cluster.
func addNotification(c *change, n *Notification) {
	stats := *c.notifyStats()
	stats.Seq++
	stats.Pending++
	n.Seq = stats.Seq
	c.putNotification(n)
	c.putNotifyStats(&stats)
	waiting, oldest := 0, (*Notification)(nil)
	for other := range c.notificationsOf(n.JobKey()) {
		if waiting++; oldest == nil {
			oldest = other
		}
	}
	if waiting > MaxJobNotifications {
		dropNotification(c, oldest, fmt.Sprintf("more than %d notifications of its job waited", MaxJobNotifications))
		return
	}
	if stats.Pending > MaxNotifications {
		for first := range scan[Notification](&c.View, tableNotifications, byPending, nil) {
			dropNotification(c, first, fmt.Sprintf("more than %d notifications waited", MaxNotifications))
			break
		}
	}
}

func dropNotification(c *change, n *Notification, why string) {
	stats := *c.notifyStats()
	stats.Dropped++
	c.putNotifyStats(&stats)
	giveUp(c, n, NotificationDropped, why)
}

// giveUp keeps a pending notification to be seen, less what is only needed to
// deliver it. The oldest that are kept make room.
func giveUp(c *change, old *Notification, status NotificationStatus, why string) {
	n := *old
	n.Status, n.LastError, n.NextAt = status, clip(why, maxErrorText), 0
	n.Target, n.Tail = nil, nil
	c.putNotification(&n)
	stats := *c.notifyStats()
	stats.Pending--
	stats.Kept++
	for first := range scan[Notification](&c.View, tableNotifications, byKept, nil) {
		if stats.Kept <= MaxKeptNotifications {
			break
		}
		c.remove(tableNotifications, first)
		stats.Kept--
	}
	c.putNotifyStats(&stats)
}

func applyRecordDeliveries(c *change, cmd *RecordDeliveries) (any, error) {
	results := make([]error, len(cmd.Deliveries))
	for i := range cmd.Deliveries {
		results[i] = recordDelivery(c, &cmd.Deliveries[i])
	}
	return results, nil
}

func recordDelivery(c *change, d *Delivery) error {
	old := get[Notification](&c.View, tableNotifications, number(d.Seq))
	if old == nil || old.Status != NotificationPending || d.Try != old.Tries+1 {
		return ErrStale
	}
	stats := *c.notifyStats()
	n := *old
	n.Tries++
	switch {
	case d.Error == "":
		c.remove(tableNotifications, old)
		stats.Pending--
		stats.Delivered++
		c.putNotifyStats(&stats)
	case d.Next == 0:
		stats.Failed++
		c.putNotifyStats(&stats)
		giveUp(c, &n, NotificationFailed, d.Error)
	default:
		n.NextAt, n.LastError = d.Next, clip(d.Error, maxErrorText)
		c.putNotification(&n)
		stats.Retried++
		c.putNotifyStats(&stats)
	}
	return nil
}

func (c *change) putNotification(n *Notification) {
	n.ModifyIndex = c.index
	c.put(tableNotifications, n)
}

func (c *change) putNotifyStats(s *NotifyStats) { c.put(tableNotifyStats, s) }

// notificationsOf yields a job's pending notifications, the oldest first.
func (v *View) notificationsOf(k JobKey) iter.Seq[*Notification] {
	return scan[Notification](v, tableNotifications, byJob, jobKey(k))
}

// notifyStats returns the cluster's counts; it is never nil.
func (v *View) notifyStats() *NotifyStats {
	if s := get[NotifyStats](v, tableNotifyStats, text("notifications")); s != nil {
		return s
	}
	return &NotifyStats{}
}

// Notifications yields the notifications that wait, have failed or were dropped,
// the oldest first, beginning after the given number.
func (v *View) Notifications(after uint64) iter.Seq[*Notification] {
	return from[Notification](v, tableNotifications, indexID, number(after+1))
}

// DueNotifications yields the pending notifications, the first one due first.
func (v *View) DueNotifications() iter.Seq[*Notification] {
	return scan[Notification](v, tableNotifications, byDue, nil)
}

// NotifyStats returns the counts of the cluster's notifications; never nil.
func (v *View) NotifyStats() *NotifyStats { return v.notifyStats() }
