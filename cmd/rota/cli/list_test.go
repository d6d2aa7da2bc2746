package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/transport/api"
)

func TestCollect(t *testing.T) {
	pages := map[string]api.List[int]{
		"":  {Items: []int{1, 2}, NextPageToken: "b", Index: 9},
		"b": {Items: []int{3}, NextPageToken: "c", Index: 10},
		"c": {Items: []int{4}, Index: 11},
	}
	tests := []struct {
		limit int
		want  api.List[int]
		asked []int
	}{
		{0, api.List[int]{Items: []int{1, 2, 3, 4}, Index: 9}, []int{pageSize, pageSize, pageSize}},
		{3, api.List[int]{Items: []int{1, 2, 3}, NextPageToken: "c", Index: 9}, []int{3, 1}},
		{pageSize + 1, api.List[int]{Items: []int{1, 2, 3, 4}, Index: 9}, []int{pageSize, pageSize - 1, pageSize - 2}},
	}
	for _, tt := range tests {
		var asked []int
		got, err := collect(tt.limit, func(p api.Page) (api.List[int], error) {
			asked = append(asked, p.PerPage)
			return pages[p.Token], nil
		})
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("limit %d: %v %s", tt.limit, err, diff)
		}
		if diff := cmp.Diff(tt.asked, asked); diff != "" {
			t.Errorf("limit %d: pages of %s", tt.limit, diff)
		}
	}
}

// TestCollectEnds: a server that gives the same page for ever is an error.
func TestCollectEnds(t *testing.T) {
	_, err := collect(0, func(api.Page) (api.List[int], error) { return api.List[int]{NextPageToken: "x"}, nil })
	if err == nil {
		t.Error("no error")
	}
}
