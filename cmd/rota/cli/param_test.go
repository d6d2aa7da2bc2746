package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

func TestParamsOf(t *testing.T) {
	got, err := paramsOf([]string{"a=1", "b=x=y", "c="})
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "x=y", "c": ""}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, bad := range [][]string{{"a"}, {"=1"}, {"a=1", "a=2"}} {
		if _, err := paramsOf(bad); err == nil || !strings.Contains(err.Error(), "--param") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestShardProgress(t *testing.T) {
	task := api.Task{RunTask: fsm.RunTask{Shards: 200, Done: 190, Failed: 2}, Running: 3}
	if got := shardProgress(&task); got != "190 of 200 done, 3 running, 2 failed" {
		t.Error(got)
	}
}
