package membership

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentityLastsAndIncarnationGrows(t *testing.T) {
	dir := t.TempDir()
	first, err := LoadIdentity(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if !validID(first.ID) || first.Incarnation != 1 {
		t.Fatalf("fresh identity = %+v, want a UUID in incarnation 1", first)
	}
	for want := uint64(2); want < 5; want++ {
		next, err := LoadIdentity(dir, true)
		if err != nil {
			t.Fatal(err)
		}
		if next.ID != first.ID || next.Incarnation != want {
			t.Fatalf("identity = %+v, want %s in incarnation %d", next, first.ID, want)
		}
	}
	other, err := LoadIdentity(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	if other.ID == first.ID {
		t.Fatal("two directories got the same id")
	}
}

func TestIdentityRefusals(t *testing.T) {
	const id = "0b8f7c1e-53c4-4d5e-9c43-0f5c9a4f7a11"
	for name, tc := range map[string]struct {
		nodeID, incarnation string // "" is no file
		hasState            bool
		want                error
		wantText            string
	}{
		"state without an id":         {incarnation: "3\n", hasState: true, want: ErrIdentityLost, wantText: "empty the directory"},
		"state without anything":      {hasState: true, want: ErrIdentityLost, wantText: nodeIDFile},
		"id without incarnation":      {nodeID: id, want: ErrIdentityLost, wantText: incarnationFile},
		"garbled id":                  {nodeID: "node-1", incarnation: "1", want: ErrIdentityCorrupt, wantText: "UUID"},
		"empty id":                    {nodeID: "\n", incarnation: "1", want: ErrIdentityCorrupt, wantText: "UUID"},
		"truncated incarnation":       {nodeID: id, incarnation: "\n", want: ErrIdentityCorrupt, wantText: "higher"},
		"negative incarnation":        {nodeID: id, incarnation: "-4", want: ErrIdentityCorrupt, wantText: "higher"},
		"incarnation at its end":      {nodeID: id, incarnation: "18446744073709551615", want: ErrIdentityCorrupt, wantText: "grow"},
		"corrupt incarnation, no id":  {incarnation: "x", want: ErrIdentityCorrupt, wantText: incarnationFile},
		"interrupted first start":     {incarnation: "7"},
		"with a trailing line ending": {nodeID: id + "\r\n", incarnation: "7\n", hasState: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{nodeIDFile: tc.nodeID, incarnationFile: tc.incarnation} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := LoadIdentity(dir, tc.hasState)
			if tc.want == nil {
				if err != nil || got.Incarnation != 8 {
					t.Fatalf("LoadIdentity = %+v, %v; want incarnation 8", got, err)
				}
				return
			}
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.wantText) {
				t.Fatalf("error = %v, want %v with %q", err, tc.want, tc.wantText)
			}
			raw, _ := os.ReadFile(filepath.Join(dir, incarnationFile))
			if string(raw) != tc.incarnation {
				t.Fatalf("a refused start changed the incarnation to %q", raw)
			}
		})
	}
}

func TestIdentityNeedsAWritableDirectory(t *testing.T) {
	_, err := LoadIdentity(filepath.Join(t.TempDir(), "missing"), false)
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("error = %v, want that the directory does not exist", err)
	}
}
