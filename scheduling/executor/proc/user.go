package proc

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const (
	passwdFile   = "/etc/passwd"
	defaultShell = "/bin/sh"
)

// identity is as whom an attempt runs.
type identity struct {
	name, home, shell string
	uid, gid          uint32
	groups            []uint32 // supplementary
}

// findUser resolves "name", "uid", "name:gid" or "uid:gid" as the host knows it
// now. A uid that nobody has needs a gid: guessing one could grant a lot.
func findUser(spec string) (*identity, error) {
	who, group, explicit := strings.Cut(spec, ":")
	id, err := knownUser(who)
	if err != nil {
		return nil, err
	}
	if id == nil {
		uid, err := parseID(who)
		switch {
		case err != nil:
			return nil, fmt.Errorf("user %q does not exist on this node", who)
		case !explicit:
			return nil, fmt.Errorf("uid %s has no entry on this node, so its group is unknown: give it as %q", who, who+":GID")
		}
		id = &identity{name: who, uid: uid, home: "/", shell: defaultShell}
	}
	if explicit {
		if id.gid, err = parseID(group); err != nil {
			return nil, fmt.Errorf("user %q: group %q is not a number", spec, group)
		}
	}
	return id, nil
}

// knownUser looks a user up by name, or by number where it is one; nil if there
// is no such user.
func knownUser(who string) (*identity, error) {
	u, err := user.Lookup(who)
	if _, nerr := parseID(who); err != nil && nerr == nil {
		u, err = user.LookupId(who)
	}
	var noName user.UnknownUserError
	var noID user.UnknownUserIdError
	switch {
	case errors.As(err, &noName) || errors.As(err, &noID):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look up user %q: %w", who, err)
	}
	id := &identity{name: u.Username, home: u.HomeDir, shell: shellOf(u.Username)}
	if id.uid, err = parseID(u.Uid); err == nil {
		id.gid, err = parseID(u.Gid)
	}
	if err != nil {
		return nil, fmt.Errorf("look up user %q: %w", who, err)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("look up the groups of user %q: %w", who, err)
	}
	for _, g := range groups {
		if n, err := parseID(g); err == nil && n != id.gid {
			id.groups = append(id.groups, n)
		}
	}
	return id, nil
}

// parseID parses a uid or gid. The highest number means "unchanged" to the
// kernel, and must not be taken for somebody.
func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && n == 1<<32-1 {
		err = strconv.ErrRange
	}
	return uint32(n), err
}

// shellOf returns a user's login shell, where the host's own file has it.
func shellOf(name string) string {
	f, err := os.Open(passwdFile)
	if err != nil {
		return defaultShell
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if e := strings.Split(lines.Text(), ":"); len(e) == 7 && e[0] == name && e[6] != "" {
			return e[6]
		}
	}
	return defaultShell
}

// credential is what the kernel needs to make a process this user's; nil where
// it is already, given as whom the agent runs.
func (id *identity) credential(uid, gid int) (*syscall.Credential, error) {
	if uid == 0 {
		return &syscall.Credential{Uid: id.uid, Gid: id.gid, Groups: id.groups}, nil
	}
	if int(id.uid) == uid && int(id.gid) == gid {
		return nil, nil
	}
	return nil, fmt.Errorf("cannot run as user %s: only root can, and the agent runs as uid %d", id.name, uid)
}

// environment returns env with the variables that say who a process is.
func (id *identity) environment(env []string) []string {
	own := []string{"HOME=" + id.home, "LOGNAME=" + id.name, "SHELL=" + id.shell, "USER=" + id.name}
	out := slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		return slices.ContainsFunc(own, func(o string) bool {
			name, _, _ := strings.Cut(o, "=")
			return strings.HasPrefix(kv, name+"=")
		})
	})
	return append(out, own...)
}
