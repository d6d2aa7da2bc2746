// Command mutants breaks the program on purpose, one promise at a time, and
// demands that a test notices.
//
// Each *.patch beside this file is one breakage. Its header says what it breaks,
// which promise that is, and the command that catches it: the quickest test that
// does. mutants copies the repository to a temporary folder, applies one patch
// after another there, runs its command, and prints a table. It fails if a patch
// does not apply, if the broken program does not build, or if its command passes.
//
//	go run ./test/mutants [-sim N] [NAME…]
//
// With -sim it also plays N random schedules in the simulator with each breakage,
// and says how many of them break a promise. That is told, not judged.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// limit is how long one test command may take.
const limit = 10 * time.Minute

func main() {
	schedules := flag.Int("sim", 0, "random schedules to play with each breakage")
	flag.Parse()
	survived, err := run(*schedules, flag.Args())
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	case survived > 0:
		fmt.Fprintf(os.Stderr, "mutants: %d were not caught\n", survived)
		os.Exit(1)
	}
}

func run(schedules int, names []string) (survived int, err error) {
	mutants, err := load("test/mutants", names)
	if err != nil {
		return 0, err
	}
	root, err := os.MkdirTemp("", "rota-mutants-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(root)
	if err := copyTree(root); err != nil {
		return 0, fmt.Errorf("copying the repository: %w", err)
	}
	fmt.Printf("%-20s %-8s %7s  %s\n", "MUTANT", "RESULT", "TOOK", "BREAKS")
	for _, m := range mutants {
		began := time.Now()
		result, detail := m.try(root, schedules)
		if result != caught {
			survived++
		}
		fmt.Printf("%-20s %-8s %6.1fs  %s%s\n", m.name, result, time.Since(began).Seconds(), m.header["Breaks"], detail)
	}
	return survived, nil
}

// mutant is one breakage.
type mutant struct {
	name, file string
	header     map[string]string // by the word before the colon
}

var headerLine = regexp.MustCompile(`^# ([A-Z][a-z ]+): (.*)$`)

// load reads the patches, or those of the given names.
func load(dir string, names []string) ([]mutant, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, err
	}
	var list []mutant
	for _, file := range files {
		m := mutant{name: strings.TrimSuffix(filepath.Base(file), ".patch"), header: map[string]string{}}
		if m.file, err = filepath.Abs(file); err != nil {
			return nil, err
		}
		if len(names) > 0 && !slices.Contains(names, m.name) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			if match := headerLine.FindStringSubmatch(strings.TrimSpace(line)); match != nil {
				m.header[match[1]] = match[2]
			}
		}
		for _, word := range []string{"Breaks", "Promise", "Caught by"} {
			if m.header[word] == "" {
				return nil, fmt.Errorf("%s: its header has no line %q", file, "# "+word+": …")
			}
		}
		list = append(list, m)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no patch in %s fits %q", dir, names)
	}
	return list, nil
}

// What becomes of a mutant.
const (
	caught  = "caught"
	missed  = "SURVIVED"
	useless = "NO TEST" // the patch does not apply, or does not build
)

// try breaks the copy, runs the test, and mends the copy again.
func (m mutant) try(root string, schedules int) (result, detail string) {
	if out, err := command(root, "git", "apply", m.file); err != nil {
		return useless, "\n" + indent(out)
	}
	defer func() {
		if out, err := command(root, "git", "apply", "-R", m.file); err != nil {
			result, detail = useless, "\ncannot be taken back: "+out
		}
	}()
	if out, err := command(root, "go", "build", "./..."); err != nil {
		return useless, "\n" + indent(out)
	}
	test := m.header["Caught by"]
	out, err := command(root, "bash", "-c", test)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return missed, "\n    by " + test
	case !errors.As(err, &exit) || !strings.Contains(out, "FAIL") || strings.Contains(out, "[build failed]"):
		return useless, "\n" + indent(out)
	}
	if schedules > 0 {
		detail = fmt.Sprintf("; the simulator: %d of %d schedules", simulate(root, schedules), schedules)
	}
	return caught, detail
}

var failedSchedule = regexp.MustCompile(`--- FAIL: TestRandomSchedules/\d+ `)

// simulate plays random schedules and returns how many failed.
func simulate(root string, schedules int) int {
	play := fmt.Sprintf("ROTA_SIM_SHRINK=0 ROTA_SIM_SEEDS=%d go test -count=1 -run '^TestRandomSchedules$' ./test/sim", schedules)
	out, _ := command(root, "bash", "-c", play) // what failed stands in the output
	return len(failedSchedule.FindAllString(out, -1))
}

func command(dir, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	// Outside of a repository, so that git takes the paths as they are.
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func indent(text string) string {
	const most = 2000
	return "    " + strings.ReplaceAll(strings.TrimSpace(text[:min(len(text), most)]), "\n", "\n    ")
}

// copyTree copies what git knows, or would take up, of the folder that this is run
// in.
func copyTree(to string) error {
	out, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for name := range bytes.SplitSeq(bytes.TrimRight(out, "\x00"), []byte{0}) {
		if err := copyFile(string(name), filepath.Join(to, string(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, info.Mode().Perm())
}
