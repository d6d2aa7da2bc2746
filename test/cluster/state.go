package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// State is what a replica comes to: at equal indexes hashes are equal.
type State struct {
	Index uint64 `json:"index"`
	Hash  string `json:"hash"`
}

// State asks the node for the state of its own replica.
func (n *Node) State(ctx context.Context) (State, error) {
	var s State
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.client.Addr()+"/v1/internal/state", http.NoBody)
	if err != nil {
		return s, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, fmt.Errorf("asking %s for its state: %w", n.Name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("asking %s for its state: %s", n.Name, resp.Status)
	}
	return s, json.NewDecoder(resp.Body).Decode(&s)
}
