package httpapi

import (
	"net/http"

	"github.com/rota-scheduler/rota/fsm"
)

// listPools serves GET /v1/pools, in the order of their names.
func (a *API) listPools(r *http.Request) (reader, error) {
	p, err := pageOf(r.URL.Query(), 1)
	if err != nil {
		return nil, err
	}
	return func(v views) (reply, error) {
		rows := []fsm.Pool{}
		var newest uint64
		for pool := range v.watch.Pools() {
			if p.after == nil || pool.Name > p.after[0] {
				rows = append(rows, *pool)
				newest = max(newest, pool.ModifyIndex)
			}
		}
		rows = rows[:min(len(rows), p.size+1)]
		list := listOf(rows, p, v.index(), func(pool *fsm.Pool) []string { return []string{pool.Name} })
		return reply{body: list, newest: newest}, nil
	}, nil
}

// deletePool serves DELETE /v1/pools/{name}: a pool that no job names.
func (a *API) deletePool(w http.ResponseWriter, r *http.Request) error {
	_, index, err := a.propose(r, fsm.OpDeletePool, &fsm.DeletePool{At: a.cfg.Clock(), Name: r.PathValue("name")})
	if err != nil {
		return err
	}
	setIndex(w, index)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
