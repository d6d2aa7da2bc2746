package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Bounds of an event stream.
const (
	maxEvent = 8 << 20
	// silence is how long a stream may say nothing, heartbeats included,
	// before it counts as broken; the server sends one every 10 s.
	silence      = 35 * time.Second
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 2 * time.Second
)

// errSilent ends a stream on which not even heartbeats arrive.
var errSilent = errors.New("the event stream fell silent")

// Events yields what changes from the given index on, or from now on if that is
// 0, until ctx ends or the caller stops. When the connection breaks it yields
// the error, once, and connects again from where it was if the caller goes on.
//
// An event may come twice, and a state that was overtaken by the next may be
// left out. Outcomes of fires that were decided during a break are not told; nor
// is anything, if no event had come yet and no index was given.
func (c *Client) Events(ctx context.Context, from uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		backoff := firstBackoff
		for ctx.Err() == nil {
			last, goOn, err := c.streamEvents(ctx, from, yield)
			if !goOn || ctx.Err() != nil {
				return
			}
			if last > 0 {
				from, backoff = last, firstBackoff
			}
			if !yield(Event{}, err) {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(backoff):
			}
			backoff = min(2*backoff, lastBackoff)
		}
	}
}

// streamEvents yields the events of one connection. It returns the last index
// that it saw, 0 if none, and whether the caller wants more.
func (c *Client) streamEvents(ctx context.Context, from uint64, yield func(Event, error) bool) (last uint64, goOn bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer watchdog.Stop()

	r := request{method: http.MethodGet, path: "/v1/events", query: url.Values{}}
	if from > 0 {
		n := strconv.FormatUint(from, 10)
		r.query.Set("index", n)
		r.header = http.Header{"Last-Event-Id": {n}}
	}
	resp, err := c.send(ctx, r)
	if err != nil {
		return 0, true, causeOf(ctx, err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 64<<10), maxEvent)
	var data []byte
	for lines.Scan() {
		watchdog.Reset(silence)
		line := lines.Bytes()
		if part, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			data = append(data, bytes.TrimPrefix(part, []byte(" "))...)
			continue
		}
		if len(line) > 0 || len(data) == 0 {
			continue // a comment, the id (which the data holds too), or a heartbeat's end
		}
		var e Event
		if err := json.Unmarshal(data, &e); err != nil {
			return last, true, fmt.Errorf("an event of %s cannot be read: %w", c.Addr(), err)
		}
		data = data[:0]
		last = e.Index
		if !yield(e, nil) {
			return last, false, nil
		}
	}
	err = lines.Err()
	if err == nil {
		err = io.EOF
	}
	return last, true, fmt.Errorf("the event stream of %s ended: %w", c.Addr(), causeOf(ctx, err))
}

// causeOf prefers the reason why ctx was cancelled over what came of it.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
