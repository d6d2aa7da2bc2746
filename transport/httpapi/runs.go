package httpapi

import (
	"cmp"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

const (
	// minPrefix is how much of a run's ID must be given.
	minPrefix = 6
	// idLetters are the characters of a ULID.
	idLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

// compareDown orders the greater first.
func compareDown[T cmp.Ordered](a, b T) int { return cmp.Compare(b, a) }

// compareRuns orders runs by their entry into the log, the newest first. Their
// IDs do not: that of a run which makes up for a missed instant is old.
func compareRuns(a, b *fsm.Run) int {
	return cmp.Or(compareDown(a.CreateIndex, b.CreateIndex), compareDown(a.ID, b.ID))
}

// runFilter says which runs a listing wants.
type runFilter struct {
	namespace, job string
	state          fsm.RunState
	// before is the last run of the page before, of which only the key is set.
	before *fsm.Run
}

func runFilterOf(q url.Values, p page) (f runFilter, err error) {
	if f.namespace, err = namespaceFilter(q); err != nil {
		return f, err
	}
	f.job, f.state = q.Get("job"), fsm.RunState(q.Get("state"))
	switch f.state {
	case "", fsm.RunPending, fsm.RunRunning, fsm.RunSucceeded, fsm.RunFailed, fsm.RunCancelled:
	default:
		return f, badRequest("state=%s: want one of pending, running, succeeded, failed, cancelled", f.state)
	}
	if p.after != nil {
		index, err := strconv.ParseUint(p.after[0], 10, 64)
		if err != nil {
			return f, badToken(q.Get("page_token"))
		}
		f.before = &fsm.Run{CreateIndex: index, ID: p.after[1]}
	}
	return f, nil
}

// one is the job that the listing is of, or the empty key if of several.
func (f *runFilter) one() fsm.JobKey {
	if f.job == "" || f.namespace == everyNamespace {
		return fsm.JobKey{}
	}
	return fsm.JobKey{Namespace: f.namespace, Name: f.job}
}

// candidates yields the runs among which those that match are.
func (f *runFilter) candidates(v *fsm.View) iter.Seq[*fsm.Run] {
	active := f.state != "" && !f.state.Ended()
	switch key := f.one(); {
	case key != (fsm.JobKey{}) && active:
		return v.ActiveRuns(key)
	case key != (fsm.JobKey{}):
		return v.Runs(key)
	case active:
		return v.AllActiveRuns()
	}
	return v.AllRuns("")
}

func (f *runFilter) matches(run *fsm.Run) bool {
	return (f.namespace == everyNamespace || run.Namespace == f.namespace) &&
		(f.job == "" || run.Job == f.job) &&
		(f.state == "" || run.State == f.state) &&
		(f.before == nil || compareRuns(run, f.before) > 0)
}

// listRuns serves GET /v1/runs, the newest first.
func (a *API) listRuns(r *http.Request) (reader, error) {
	q := r.URL.Query()
	p, err := pageOf(q, 2)
	if err != nil {
		return nil, err
	}
	f, err := runFilterOf(q, p)
	if err != nil {
		return nil, err
	}
	return func(v views) (reply, error) {
		key := f.one()
		watchRuns(v.watch, key)
		if key != (fsm.JobKey{}) && v.watch.Job(key) == nil {
			return reply{}, fmt.Errorf("job %s: %w", key, fsm.ErrNotFound)
		}
		kept := first[*fsm.Run]{n: p.size + 1, compare: compareRuns}
		for run := range f.candidates(v.now) {
			if f.matches(run) {
				kept.add(run)
			}
		}
		var newest uint64
		rows := make([]fsm.Run, 0, len(kept.rows))
		for _, run := range kept.sorted() {
			newest = max(newest, run.ModifyIndex)
			rows = append(rows, *run)
		}
		list := listOf(rows, p, v.index(), func(run *fsm.Run) []string {
			return []string{strconv.FormatUint(run.CreateIndex, 10), run.ID}
		})
		return reply{body: list, newest: newest}, nil
	}, nil
}

// getRun serves GET /v1/runs/{id}. Everything in a run is dated. With brief its
// tasks come without their shards, which may be thousands.
func (a *API) getRun(r *http.Request) (reader, error) {
	brief, err := flagOf(r.URL.Query(), "brief")
	if err != nil {
		return nil, err
	}
	id, err := findRun(a.cfg.Store.Read(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return func(v views) (reply, error) {
		run := v.watch.Run(id)
		if run == nil {
			return reply{}, fmt.Errorf("run %s: %w", id, fsm.ErrNotFound)
		}
		row, newest := runOf(v.watch, v.now, run, brief)
		a.explain(v.now, &row)
		return reply{body: row, newest: newest, dated: true}, nil
	}, nil
}

// findRun returns the full ID of the one run whose ID begins so.
func findRun(v *fsm.View, prefix string) (string, error) {
	prefix = strings.ToUpper(prefix)
	if v.Run(prefix) != nil {
		return prefix, nil
	}
	if len(prefix) < minPrefix {
		return "", badRequest("run %q: give at least the first %d characters of its ID", prefix, minPrefix)
	}
	if strings.Trim(prefix, idLetters) != "" { // foreign characters stop Trim
		return "", badRequest("run %.40q: an ID has only letters and digits", prefix)
	}
	// The place right before every ID with the prefix: IDs are letters and digits.
	last := len(prefix) - 1
	after := prefix[:last] + string([]byte{prefix[last] - 1, 0xff})
	found := ""
	for run := range v.AllRuns(after) {
		if !strings.HasPrefix(run.ID, prefix) {
			break
		}
		if found != "" {
			return "", badRequest("run %s: %s and %s both begin so; give more of the ID", prefix, found, run.ID)
		}
		found = run.ID
	}
	if found == "" {
		return "", fmt.Errorf("run %.40q: %w", prefix, fsm.ErrNotFound)
	}
	return found, nil
}

// maxExplained bounds the shards of one answer that are asked about.
const maxExplained = 100

// explain says of the shards that do not get on what they wait for.
func (a *API) explain(v *fsm.View, run *api.Run) {
	if a.cfg.Waiting == nil || run.State.Ended() {
		return
	}
	left := maxExplained
	waiting := a.cfg.Waiting(v)
	for t := range run.Tasks {
		items := run.Tasks[t].Items
		for i := range items {
			if items[i].State.Ended() {
				continue
			}
			if left--; left < 0 {
				return
			}
			items[i].Waiting = waiting(&items[i].Shard)
		}
	}
}

// runOf gathers a run with its tasks and shards, and the index of its newest
// change. What changes with the run is read from watch, the rest from now. A
// brief one has no shards, and is as new as its run alone.
func runOf(watch, now *fsm.View, run *fsm.Run, brief bool) (api.Run, uint64) {
	row := api.Run{Run: *run}
	newest := run.ModifyIndex
	shards := map[string][]api.Shard{}
	running := map[string]int{}
	source := watch.Shards(run.ID)
	if brief {
		source = func(func(*fsm.Shard) bool) {}
	}
	for s := range source {
		newest = max(newest, s.ModifyIndex)
		item := api.Shard{Shard: *s}
		if node := now.Node(s.Current.Node); node != nil {
			item.NodeName = node.Name
		}
		shards[s.Task] = append(shards[s.Task], item)
		if s.State == fsm.ShardRunning {
			running[s.Task]++
		}
	}
	tasks := map[string]*fsm.RunTask{}
	var names []string
	for t := range watch.Tasks(run.ID) {
		tasks[t.Name] = t
		names = append(names, t.Name)
	}
	depends := map[string][]string{}
	// The version of an old run may be gone; its tasks then stand by name.
	if spec := now.Spec(run); spec != nil {
		names = names[:0]
		for i := range spec.Tasks {
			t := &spec.Tasks[i]
			names = append(names, t.Name)
			depends[t.Name] = t.DependsOn
		}
	}
	for _, name := range names {
		if t := tasks[name]; t != nil {
			row.Tasks = append(row.Tasks, api.Task{RunTask: *t, DependsOn: depends[name], Running: running[name], Items: shards[name]})
		}
	}
	return row, newest
}
