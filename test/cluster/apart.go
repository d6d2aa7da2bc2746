package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// MainApart is [Main] for a package whose tests need networks or mounts: it runs
// them in a process with a network and mounts of its own, which end with it.
//
// That needs what [OwnNetwork] needs. A machine that lacks it fails the package,
// unless ROTA_NO_NETNS=1 says that this is known: then the package is left out.
func MainApart(m *testing.M) int {
	if os.Getenv(networkVariable) != "" {
		return Main(m)
	}
	if os.Getenv(withoutVariable) == "1" {
		fmt.Printf("%s=1: these tests need a network of their own and are left out\n", withoutVariable)
		return 0
	}
	if err := apart(); err != nil {
		fmt.Fprintf(os.Stderr, "the tests in a network of their own: %v; set %s=1 to leave them out on a machine that cannot have one\n", err, withoutVariable)
		return 1
	}
	return 0
}

func apart() error {
	if _, err := exec.LookPath("ip"); err != nil {
		return fmt.Errorf("they need the command ip of iproute2: %w", err)
	}
	runtime.LockOSThread() // the parent-death signal comes when this thread ends
	defer runtime.UnlockOSThread()
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), networkVariable+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// Unshared, not cloned: then the mounts are made private first.
		Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
	}
	return cmd.Run()
}
