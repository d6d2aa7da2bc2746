package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport"
)

// everyNamespace as ?namespace= lists all of them.
const everyNamespace = "*"

// maxWait bounds ?wait=. A longer wait is cut to it.
const (
	maxWait     = 10 * time.Minute
	defaultWait = 30 * time.Second
)

// namespaceOf returns ?namespace=, "default" if there is none.
func namespaceOf(q url.Values) (string, error) {
	ns := q.Get("namespace")
	if ns == "" {
		return fsm.DefaultNamespace, nil
	}
	if err := fsm.CheckName(ns); err != nil {
		return "", badRequest("namespace: %s", err)
	}
	return ns, nil
}

// namespaceFilter is namespaceOf for listings; "*" means all.
func namespaceFilter(q url.Values) (string, error) {
	if q.Get("namespace") == everyNamespace {
		return everyNamespace, nil
	}
	return namespaceOf(q)
}

// jobKeyOf names the job of a path.
func jobKeyOf(r *http.Request) (fsm.JobKey, error) {
	ns, err := namespaceOf(r.URL.Query())
	return fsm.JobKey{Namespace: ns, Name: r.PathValue("name")}, err
}

// flagOf reads a parameter that is true when it stands there alone.
func flagOf(q url.Values, name string) (bool, error) {
	if !q.Has(name) || q.Get(name) == "false" {
		return false, nil
	}
	if v := q.Get(name); v != "" && v != "true" {
		return false, badRequest("%s=%s: want true or false", name, v)
	}
	return true, nil
}

// numberOf reads a parameter that is a number from 0 to limit.
func numberOf(q url.Values, name string, fallback, limit int64) (int64, error) {
	v := q.Get(name)
	if v == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 || n > limit {
		return 0, badRequest("%s=%s: want a number from 0 to %d", name, v, limit)
	}
	return n, nil
}

// waitOf reads ?wait=.
func waitOf(q url.Values) (time.Duration, error) {
	v := q.Get("wait")
	if v == "" {
		return defaultWait, nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 {
		return 0, badRequest("wait=%s: want a span such as 30s or 5m", v)
	}
	return min(d, maxWait), nil
}

// decodeBody reads a JSON body into v and refuses what v has no place for. An
// empty body leaves v as it is.
func decodeBody(r *http.Request, v any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return bodyError(err)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	return decodeJSON(body, v)
}

func bodyError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	return badRequest("the body ended before its time; send it again")
}

func decodeJSON(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return jsonError(body, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return badRequest("the body has something behind its JSON value; send one value")
	}
	return nil
}

// jsonError says in the terms of the body what is wrong with it.
func jsonError(body []byte, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return badRequest("the body is no JSON: %s (line %d)", syntax, lineAt(body, syntax.Offset))
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return badRequest("the body's field %q (line %d) cannot be a %s", kind.Field, lineAt(body, kind.Offset), kind.Value)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return badRequest("the body is no JSON: it ends in the middle of a value")
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	return badRequest("the body is refused: %s", text)
}

func lineAt(body []byte, offset int64) int {
	return 1 + bytes.Count(body[:min(int(offset), len(body))], []byte("\n"))
}

// lasting returns a context that ends with the request, or when the server
// begins to stop, whichever is first.
func lasting(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(r.Context())
	closing := transport.Closing(r.Context())
	if closing != nil {
		go func() {
			select {
			case <-closing:
				cancel(errStopped)
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}

// writeJSON answers with a value. What cannot be encoded fails before anything
// is written.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(status)
	// The client is gone if this fails, and nobody else wants to know.
	_, _ = w.Write(append(body, '\n'))
	return nil
}
