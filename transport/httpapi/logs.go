package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

const (
	logSourceNode = "node"
	logSourceTail = "tail"
	// logChunk is how much of a log is written at once, in bytes.
	logChunk = 32 << 10
	// readStall is how long a client of a stream may read nothing.
	readStall = 30 * time.Second
)

// logQuery is what a client wants of a log.
type logQuery struct {
	task    string
	shard   int
	attempt int // 0: the latest
	stream  string
	follow  bool
	tail    int64 // -1: all
}

func logQueryOf(q url.Values) (l logQuery, err error) {
	l.task, l.stream = q.Get("task"), q.Get("stream")
	switch l.stream {
	case "":
		l.stream = StreamBoth
	case StreamStdout, StreamStderr, StreamBoth:
	default:
		return l, badRequest("stream=%s: want stdout, stderr or both", l.stream)
	}
	if l.follow, err = flagOf(q, "follow"); err != nil {
		return l, err
	}
	if l.tail, err = numberOf(q, "tail", -1, math.MaxInt64); err != nil {
		return l, err
	}
	shard, err := numberOf(q, "shard", 0, math.MaxInt32)
	if err != nil {
		return l, err
	}
	attempt, err := numberOf(q, "attempt", 0, math.MaxInt32)
	l.shard, l.attempt = int(shard), int(attempt)
	return l, err
}

// values are the parameters that the node which holds the log is sent.
func (l *logQuery) values() url.Values {
	q := url.Values{"stream": {l.stream}, "follow": {strconv.FormatBool(l.follow)}}
	if l.tail >= 0 {
		q.Set("tail", strconv.FormatInt(l.tail, 10))
	}
	return q
}

// runLogs serves GET /v1/runs/{id}/logs: from this node, from the node that
// holds the log, or what the log of the cluster has of it.
func (a *API) runLogs(w http.ResponseWriter, r *http.Request) error {
	l, err := logQueryOf(r.URL.Query())
	if err != nil {
		return err
	}
	if err := a.replayed(r.Context()); err != nil {
		return err
	}
	id, err := findRun(a.cfg.Store.Read(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if l.task == "" {
		if l.task, err = onlyTask(a.cfg.Store.Read(), id); err != nil {
			return err
		}
	}
	attempt, err := a.startedAttempt(r, id, &l)
	if err != nil {
		return err
	}
	ref := fsm.AttemptRef{RunID: id, Task: l.task, Shard: l.shard, Attempt: attempt.Number}
	if attempt.Node == a.cfg.NodeID {
		err = a.serveLog(w, r, ref, l)
	} else {
		err = a.forwardLog(w, r, ref, l, attempt.Node)
	}
	if errors.Is(err, fsm.ErrNotFound) {
		// The node has no file: the attempt has written nothing, or was swept. It
		// forgets an attempt when its log shows the end; this one's may lag.
		attempt = a.endOf(r, id, l, attempt)
	}
	if errors.Is(err, fsm.ErrNotFound) || errors.Is(err, errNodeGone) {
		return serveTail(w, attempt, l)
	}
	return err
}

// endLag is how long a replica may take to show an end that another one shows.
const endLag = 2 * time.Second

// endOf waits a moment for an attempt's end to show here, and returns the attempt
// as it is then.
func (a *API) endOf(r *http.Request, run string, l logQuery, attempt *fsm.Attempt) *fsm.Attempt {
	l.attempt = attempt.Number
	_, _ = a.holds(r, endLag, func(v *fsm.View) bool {
		now, err := findAttempt(v, run, &l)
		if err == nil {
			attempt = now
		}
		return err != nil || now.EndedAt != 0
	})
	return attempt
}

// onlyTask returns the one task of a run, or an error that names them all.
func onlyTask(v *fsm.View, run string) (string, error) {
	var names []string
	for t := range v.Tasks(run) {
		names = append(names, t.Name)
	}
	if len(names) == 1 {
		return names[0], nil
	}
	const shown = 20
	if more := len(names) - shown; more > 0 {
		names = append(names[:shown], fmt.Sprintf("and %d more", more))
	}
	return "", badRequest("run %s has several tasks, name one with task=: %s", run, strings.Join(names, ", "))
}

// startedAttempt returns the attempt that is asked for. With follow it waits for
// the start.
func (a *API) startedAttempt(r *http.Request, run string, l *logQuery) (*fsm.Attempt, error) {
	look := func(v *fsm.View) (*fsm.Attempt, error) { return findAttempt(v, run, l) }
	attempt, err := look(a.cfg.Store.Read())
	if !errors.Is(err, errNotStarted) {
		return attempt, err
	}
	if l.follow {
		if _, err := a.holds(r, maxWait, func(v *fsm.View) bool {
			attempt, err = look(v)
			return !errors.Is(err, errNotStarted) || !v.RunActive(run)
		}); err != nil {
			return nil, err
		}
	}
	return attempt, err
}

var (
	// errNotStarted is a kind of not found that time may mend.
	errNotStarted = fmt.Errorf("%w: it has not started yet", fsm.ErrNotFound)
	// errNodeGone: the node that holds a log cannot be asked.
	errNodeGone = errors.New("the node that holds the log is gone")
)

func findAttempt(v *fsm.View, run string, l *logQuery) (*fsm.Attempt, error) {
	index := slices.IndexFunc(slices.Collect(v.Tasks(run)), func(t *fsm.RunTask) bool { return t.Name == l.task })
	if index < 0 {
		return nil, fmt.Errorf("task %.128s of run %s: %w", l.task, run, fsm.ErrNotFound)
	}
	s := v.Shard(run, l.task, l.shard)
	if s == nil && l.shard == 0 {
		return nil, fmt.Errorf("task %s of run %s: %w", l.task, run, errNotStarted)
	}
	if s == nil {
		return nil, fmt.Errorf("shard %d of task %s of run %s: %w", l.shard, l.task, run, fsm.ErrNotFound)
	}
	where := fmt.Sprintf("task %s shard %d of run %s, which is %s", l.task, l.shard, run, s.State)
	attempts := append(slices.Clone(s.Past), s.Current)
	for i := len(attempts) - 1; i >= 0; i-- {
		if at := &attempts[i]; at.Node != "" && at.Outcome != fsm.AttemptNever &&
			(l.attempt == 0 || at.Number == l.attempt) && (at.StartedAt != 0 || at.EndedAt != 0) {
			return at, nil
		}
	}
	if l.attempt == 0 || l.attempt >= s.Current.Number {
		return nil, fmt.Errorf("%s: %w", where, errNotStarted)
	}
	return nil, fmt.Errorf("attempt %d of %s: %w", l.attempt, where, fsm.ErrNotFound)
}

// serveLog streams a log of this node. It fails before it writes, or not at all.
func (a *API) serveLog(w http.ResponseWriter, r *http.Request, ref fsm.AttemptRef, l logQuery) error {
	release, err := a.limits.logs.take()
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := lasting(r)
	defer cancel()
	log, err := a.cfg.Logs.Open(ctx, ref, l.stream, l.follow, l.tail)
	if err != nil {
		return err
	}
	defer log.Close()
	startText(w, logSourceNode)
	if err := copyLog(ctx, w, log); err != nil && ctx.Err() == nil {
		// Not wrapped: it is too late for another answer.
		return fmt.Errorf("log of attempt %s: %s", ref, err)
	}
	return nil
}

func startText(w http.ResponseWriter, source string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set(LogSourceHeader, source)
	w.WriteHeader(http.StatusOK)
}

// copyLog copies each piece to the client as it comes.
func copyLog(ctx context.Context, w http.ResponseWriter, log io.Reader) error {
	ctl := http.NewResponseController(w)
	buf := make([]byte, logChunk)
	if err := flush(ctl); err != nil {
		return err
	}
	for ctx.Err() == nil {
		n, err := log.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			if err := flush(ctl); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// flush sends what was written, and gives the client a while to read what comes
// next.
func flush(ctl *http.ResponseController) error {
	if err := ctl.SetWriteDeadline(time.Now().Add(readStall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if err := ctl.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// serveTail answers with the end of the output that came with the result.
func serveTail(w http.ResponseWriter, attempt *fsm.Attempt, l logQuery) error {
	lost := attempt.EndedAt == 0 || attempt.Outcome == fsm.AttemptLost
	if lost && len(attempt.Tail) == 0 {
		return fmt.Errorf("node %s holds the log and cannot be asked: %w", attempt.Node, errNoLog)
	}
	tail := attempt.Tail
	if l.tail >= 0 {
		tail = tail[max(0, int64(len(tail))-l.tail):]
	}
	startText(w, logSourceTail)
	_, _ = w.Write(tail) // the client is gone if this fails
	return nil
}
