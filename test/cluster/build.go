package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

const (
	programPackage  = "github.com/rota-scheduler/rota/cmd/rota"
	recorderPackage = "github.com/rota-scheduler/rota/test/cluster/recorder"
	binaryVariable  = "ROTA_BIN"
)

// binaries are what the tests run.
type binaries struct{ dir, program, recorder string }

// built builds on first use. Its folder is removed by Main.
var built = sync.OnceValues(build)

func build() (binaries, error) {
	dir, err := os.MkdirTemp("", "rota-test-bin-")
	if err != nil {
		return binaries{}, fmt.Errorf("making a folder for the binaries: %w", err)
	}
	b := binaries{dir: dir, program: os.Getenv(binaryVariable), recorder: filepath.Join(dir, "recorder")}
	if b.program == "" {
		b.program = filepath.Join(dir, "rota")
		err = goBuild(b.program, programPackage)
	}
	// A static recorder: what a job starts should cost as little as it can.
	return b, errors.Join(err, goBuild(b.recorder, recorderPackage, "CGO_ENABLED=0"))
}

func goBuild(target, pkg string, env ...string) error {
	cmd := exec.Command("go", "build", "-o", target, pkg)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// Main runs a package's tests and removes the binaries that they used. It
// returns the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	if b, err := built(); err == nil {
		if err := os.RemoveAll(b.dir); err != nil {
			fmt.Fprintln(os.Stderr, "removing the binaries:", err)
		}
	}
	return code
}

// Binary returns the path of the program, which it builds on first use.
func Binary(t testing.TB) string {
	t.Helper()
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return b.program
}

func recorderBinary(t testing.TB) string {
	t.Helper()
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return b.recorder
}
