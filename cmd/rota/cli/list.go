package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/transport/api"
)

// pageSize is how many items are fetched at a time.
const pageSize = 1000

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

// limitFlag adds --limit to a listing.
func limitFlag(cmd *cobra.Command, limit *int, value int) {
	cmd.Flags().IntVarP(limit, "limit", "n", value, "show at most this many; 0 shows all")
}

func checkLimit(cmd *cobra.Command, limit int) error {
	if limit < 0 {
		return usagef(cmd, "--limit %d is negative", limit)
	}
	return nil
}

// noteRest says, apart from the listing itself, that it does not end here.
func noteRest[T any](cmd *cobra.Command, list api.List[T]) {
	if list.NextPageToken != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "These are the first %d; --limit 0 shows all.\n", len(list.Items))
	}
}
