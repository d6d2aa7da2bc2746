package netswitch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// The device that TUN interfaces are made with.
const (
	tunPath  = "/dev/net/tun"
	tunMajor = 10
	tunMinor = 200
)

// ErrNoTUN: this machine offers no TUN devices, or not to this user.
var ErrNoTUN = errors.New("TUN devices are not available")

// OpenTUN makes a TUN interface of that name in a network namespace (nil: that
// of this process). Reads and writes of the file are whole IP packets; closing
// it removes the interface. It needs CAP_NET_ADMIN.
func OpenTUN(namespace *os.File, name string) (*os.File, error) {
	type result struct {
		file *os.File
		err  error
	}
	made := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, perhaps elsewhere, ends with the goroutine
		if namespace != nil {
			if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
				made <- result{err: fmt.Errorf("entering a network namespace: %w", err)}
				return
			}
		}
		file, err := openTUN(name)
		made <- result{file, err}
	}()
	r := <-made
	return r.file, r.err
}

func openTUN(name string) (*os.File, error) {
	if err := ensureNode(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoTUN, err)
	}
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: opening %s: %w", ErrNoTUN, tunPath, err)
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%w: making the interface %s: %w", ErrNoTUN, name, err)
	}
	return os.NewFile(uintptr(fd), tunPath), nil
}

// ensureNode makes the device's node where the kernel has the driver and nobody
// has made it, as in some containers.
func ensureNode() error {
	_, err := os.Stat(tunPath)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(tunPath), 0o755); err != nil {
		return err
	}
	return unix.Mknod(tunPath, unix.S_IFCHR|0o600, int(unix.Mkdev(tunMajor, tunMinor)))
}
