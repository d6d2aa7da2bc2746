package agent

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// TestAnIdentityNeedsItsState: a node that lost only its raft state must not vote
// under the identity that had it.
func TestAnIdentityNeedsItsState(t *testing.T) {
	for name, tt := range map[string]struct{ raft, kept bool }{
		"state there": {raft: true, kept: true}, "state gone": {},
	} {
		t.Run(name, func(t *testing.T) {
			a := &Agent{cfg: Config{DataDir: t.TempDir()}, logger: slog.New(slog.DiscardHandler)}
			id := filepath.Join(a.cfg.DataDir, "node-id")
			if err := os.WriteFile(id, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			if tt.raft {
				if err := os.Mkdir(a.raftDir(), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.dropIdentityWithoutState(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(id); (err == nil) != tt.kept {
				t.Errorf("the identity is there: %v, want %v", err == nil, tt.kept)
			}
			if err := a.dropIdentityWithoutState(); err != nil {
				t.Errorf("a second time: %v", err)
			}
		})
	}
}
