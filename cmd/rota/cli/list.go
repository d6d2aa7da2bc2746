package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/transport/api"
)

// pageSize is how many items are fetched at a time.
const pageSize = 1000

// listing is what a command that lists something asks for and prints.
type listing[T any] struct {
	// limit is how many items are shown; 0 means all.
	limit int
	fetch func(api.Page) (api.List[T], error)
	table func(items []T, now time.Time) *render.Table
	// empty, if there is nothing to list, is said apart from the listing.
	empty string
}

func (l listing[T]) show(a *app, cmd *cobra.Command) error {
	list, err := collect(l.limit, l.fetch)
	if err != nil {
		return err
	}
	if len(list.Items) == 0 && l.empty != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), l.empty)
	}
	defer noteRest(cmd, list)
	return a.showTable(cmd, list, func() *render.Table { return l.table(list.Items, a.now()) })
}

// collect gathers a listing page by page: the first limit items, all if that is
// 0. Where the limit cut it, the list keeps the token of the rest.
func collect[T any](limit int, fetch func(api.Page) (api.List[T], error)) (api.List[T], error) {
	var all api.List[T]
	all.Items = []T{}
	page := api.Page{}
	for {
		page.PerPage = pageSize
		if limit > 0 {
			page.PerPage = min(pageSize, limit-len(all.Items))
		}
		list, err := fetch(page)
		if err != nil {
			return all, err
		}
		all.Items = append(all.Items, list.Items...)
		if all.Index == 0 {
			all.Index = list.Index
		}
		all.NextPageToken = list.NextPageToken
		if list.NextPageToken == "" || (limit > 0 && len(all.Items) >= limit) {
			return all, nil
		}
		if list.NextPageToken == page.Token {
			return all, fmt.Errorf("the listing does not end: the page after %q is that page again", page.Token)
		}
		page.Token = list.NextPageToken
	}
}

// limitFlag adds --limit to a listing. checkLimit is to be called before it is used.
func limitFlag(cmd *cobra.Command, limit *int, value int) {
	cmd.Flags().IntVarP(limit, "limit", "n", value, "show at most this many; 0 shows all")
}

func checkLimit(cmd *cobra.Command, limit int) error {
	if limit < 0 {
		return usagef(cmd, "--limit %d is negative", limit)
	}
	return nil
}

// checkChoice refuses a flag's value that is none of the choices; the default is
// always right.
func checkChoice(cmd *cobra.Command, name string, choices []string) error {
	flag := cmd.Flags().Lookup(name)
	value := flag.Value.String()
	if value == flag.DefValue || slices.Contains(choices, value) {
		return nil
	}
	return usagef(cmd, "--%s %q: want one of %s", name, value, strings.Join(choices, ", "))
}

// noteRest says, apart from the listing itself, that it does not end here.
func noteRest[T any](cmd *cobra.Command, list api.List[T]) {
	if list.NextPageToken != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "These are the first %d; --limit 0 shows all.\n", len(list.Items))
	}
}
