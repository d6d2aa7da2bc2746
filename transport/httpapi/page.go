package httpapi

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/rota-scheduler/rota/transport/api"
)

// Bounds of ?per_page=.
const (
	defaultPerPage = 100
	maxPerPage     = 10_000
)

// page is ?per_page= and ?page_token=.
type page struct {
	size int
	// after is the key of the last row of the page before, as its parts.
	after []string
}

// pageOf reads the paging parameters of a listing whose keys have n parts.
func pageOf(q url.Values, n int) (page, error) {
	size, err := numberOf(q, "per_page", defaultPerPage, maxPerPage)
	if err != nil {
		return page{}, err
	}
	if size == 0 {
		return page{}, badRequest("per_page=0: want a number from 1 to %d", maxPerPage)
	}
	p := page{size: int(size)}
	token := q.Get("page_token")
	if token == "" {
		return p, nil
	}
	key, err := base64.RawURLEncoding.DecodeString(token)
	if p.after = strings.Split(string(key), "\x00"); err != nil || len(p.after) != n {
		return page{}, badToken(token)
	}
	return p, nil
}

func badToken(token string) error {
	return badRequest("page_token=%.60s: want the next_page_token of the page before, from the same listing", token)
}

// pageToken is the token of the page that follows the row of that key.
func pageToken(key ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(key, "\x00")))
}

// listOf makes the answer out of one row more than the page has, if there is one.
func listOf[T any](rows []T, p page, index uint64, key func(*T) []string) api.List[T] {
	list := api.List[T]{Items: rows, Index: index}
	if len(rows) > p.size {
		list.Items = rows[:p.size]
		list.NextPageToken = pageToken(key(&rows[p.size-1])...)
	}
	if list.Items == nil {
		list.Items = []T{}
	}
	return list
}

// first keeps the n first of many in an order, without holding them all.
type first[T any] struct {
	n       int
	compare func(a, b T) int
	rows    []T
}

func (f *first[T]) add(row T) {
	f.rows = append(f.rows, row)
	if len(f.rows) >= 2*f.n+64 {
		f.cut()
	}
}

func (f *first[T]) cut() {
	slices.SortFunc(f.rows, f.compare)
	f.rows = f.rows[:min(len(f.rows), f.n)]
}

// sorted returns what was kept. Nothing may be added afterwards.
func (f *first[T]) sorted() []T {
	f.cut()
	return f.rows
}
