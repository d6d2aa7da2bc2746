package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCron(t *testing.T) {
	tests := []struct{ name, args, want string }{
		{"seconds", "cron,*/20 * * * * *,-n,2", "2026-03-01T12:00:20Z\n2026-03-01T12:00:40Z\n"},
		{"the clock skips an hour", "cron,30 2 * * *,--tz,Europe/Berlin,--after,2026-03-28T00:00:00Z,-n,3",
			"2026-03-28T02:30:00+01:00\n2026-03-29T03:00:00+02:00\n2026-03-30T02:30:00+02:00\n"},
		{"json", "cron,@monthly,-n,1,-o,json", "[\n  \"2026-04-01T00:00:00Z\"\n]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := execute(t.Context(), "", strings.Split(tt.args, ",")...)
			if got.code != 0 || got.stdout != tt.want || got.stderr != "" {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestCronRefuses(t *testing.T) {
	tests := []struct{ args, want string }{
		{"cron,61 * * * *", "minute, column 1"},
		{"cron,0 0 30 2 *", "0 0 30 2 *"},
		{"cron,@daily,--tz,Europe/Nowhere", "Europe/Nowhere"},
		{"cron,@daily,--after,yesterday", "RFC 3339"},
		{"cron,@daily,-n,0", "outside 1 to"},
		{"cron", `want "rota cron EXPR"`},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got := execute(t.Context(), "", strings.Split(tt.args, ",")...)
			if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, tt.want) {
				t.Errorf("got %v", got)
			}
		})
	}
}

const (
	messy = "job \"a\" {\ntask \"one\" {\n    driver=\"noop\"\n  }\n}\n"
	tidy  = "job \"a\" {\n  task \"one\" {\n    driver = \"noop\"\n  }\n}\n"
)

// folder makes a folder with these files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func contentOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFmtRewrites(t *testing.T) {
	dir := folder(t, map[string]string{"messy.hcl": messy, "tidy.hcl": tidy})
	path, link := filepath.Join(dir, "messy.hcl"), filepath.Join(dir, "link")
	if err := os.Symlink("messy.hcl", link); err != nil {
		t.Fatal(err)
	}
	check := execute(t.Context(), "", "fmt", "--check", dir)
	if check.code != 1 || check.stdout != path+"\n" || contentOf(t, path) != messy {
		t.Errorf("check: %v", check)
	}
	if got := execute(t.Context(), "", "fmt", link); got != (result{0, link + "\n", ""}) {
		t.Errorf("got %v", got)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o640 || contentOf(t, path) != tidy {
		t.Errorf("mode %v, err %v, content %q", info.Mode(), err, contentOf(t, path))
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if got := execute(t.Context(), "", "fmt", "--check", dir); got != (result{}) {
		t.Errorf("again: %v", got)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 3 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestFmtStdin(t *testing.T) {
	if got := execute(t.Context(), messy, "fmt", "-"); got != (result{0, tidy, ""}) {
		t.Errorf("got %v", got)
	}
	if got := execute(t.Context(), messy, "fmt", "--check", "-"); got.code != 1 {
		t.Errorf("check: %v", got)
	}
}

// TestFmtBadFile: one file that cannot be read keeps all as they are.
func TestFmtBadFile(t *testing.T) {
	dir := folder(t, map[string]string{"a.hcl": messy, "b.hcl": "job {{"})
	got := execute(t.Context(), "", "fmt", dir)
	if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, "b.hcl line 1") {
		t.Errorf("got %v", got)
	}
	if text := contentOf(t, filepath.Join(dir, "a.hcl")); text != messy {
		t.Errorf("a.hcl has become %q", text)
	}
}

// TestExamples: what the documentation shows is right, and laid out as fmt does.
func TestExamples(t *testing.T) {
	const examples = "../../../docs/examples"
	if got := execute(t.Context(), "", "validate", examples); got.code != 0 || got.stderr != "" {
		t.Errorf("validate: %v", got)
	}
	if got := execute(t.Context(), "", "fmt", "--check", examples); got != (result{}) {
		t.Errorf("fmt: %v", got)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := execute(t.Context(), "", "completion", shell); got.code != 0 || !strings.Contains(got.stdout, "rota") {
			t.Errorf("%s: exit %d", shell, got.code)
		}
	}
}
