package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// AllNamespaces, as a namespace of a listing, means every one.
const AllNamespaces = "*"

// Page says which part of a listing to return.
type Page struct {
	// PerPage is at most 10,000; 0 means the server's default.
	PerPage int
	// Token is the NextPageToken of the page before; empty for the first.
	Token string
}

// Read says how new a read must be. The zero value reads what the agent has.
type Read struct {
	// Consistent: the leader answers, after it made sure that it leads.
	Consistent bool
	// After, if not 0, blocks until there is something newer than that index,
	// for at most Wait.
	After uint64
	Wait  time.Duration
	// Brief, of a single run: its tasks without their shards.
	Brief bool
}

func (p Page) put(q url.Values) {
	if p.PerPage > 0 {
		q.Set("per_page", strconv.Itoa(p.PerPage))
	}
	if p.Token != "" {
		q.Set("page_token", p.Token)
	}
}

func (r Read) put(q url.Values) {
	if r.Consistent {
		q.Set("consistent", "true")
	}
	if r.Brief {
		q.Set("brief", "true")
	}
	if r.After > 0 {
		q.Set("index", strconv.FormatUint(r.After, 10))
		q.Set("wait", r.Wait.String())
	}
}

// queryOf is the part of a request's query that has values: what is empty or 0 is
// left to the server.
func queryOf(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if value := pairs[i+1]; value != "" {
			q.Set(pairs[i], value)
		}
	}
	return q
}

// unless0 is the text of a positive number, and nothing for any other.
func unless0(n int64) string {
	if n <= 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// read is a GET of one object or list. The index is that of the answer.
func read[T any](ctx context.Context, c *Client, path string, q url.Values, opt Read) (T, uint64, error) {
	var out T
	opt.put(q)
	index, err := c.call(ctx, request{method: http.MethodGet, path: path, query: q, wait: opt.Wait}, &out)
	return out, index, err
}

// readOne is read where nobody asks for the index.
func readOne[T any](ctx context.Context, c *Client, path string, q url.Values, opt Read) (T, error) {
	out, _, err := read[T](ctx, c, path, q, opt)
	return out, err
}

// readList is a GET of one page of a listing.
func readList[T any](ctx context.Context, c *Client, path string, q url.Values, page Page, opt Read) (List[T], error) {
	page.put(q)
	return readOne[List[T]](ctx, c, path, q, opt)
}

// write is a call that changes something.
func write[T any](ctx context.Context, c *Client, r request) (T, error) {
	var out T
	_, err := c.call(ctx, r, &out)
	return out, err
}

// writeJSON is write with a body.
func writeJSON[T any](ctx context.Context, c *Client, r request, body any) (T, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		var none T
		return none, fmt.Errorf("encoding the body of %s %s: %w", r.method, r.path, err)
	}
	if r.header == nil {
		r.header = http.Header{}
	}
	r.body = raw
	r.header.Set("Content-Type", "application/json")
	return write[T](ctx, c, r)
}
