package cgroup

// Door says how a process comes into a group, as plain data: another process of
// ours, which forks in this one's stead, can use it.
type Door struct {
	// V2 is the directory in which clone3 makes the process; empty: none.
	V2 string
	// V1 are the directories that the thread which forks goes through.
	V1 []Passage
	// PidsDir is the version 1 directory whose limit still holds a place for that
	// thread, and Pids the limit without it; empty: none.
	PidsDir string
	Pids    int64
}

// Passage is a version 1 directory and the one to go back to.
type Passage struct{ Dir, Home string }

// Door returns the way into the group, for another process. This one must not
// use Enter after that.
func (g *Group) Door() (d Door) {
	if g == nil {
		return d
	}
	if g.fd >= 0 {
		d.V2 = g.dirs[0]
		g.release()
	}
	d.V1 = g.enter
	if g.pidsV1 {
		d.PidsDir, d.Pids = g.pids, g.limits.Pids
	}
	return d
}

// Open returns a group that only Enter and Leave may be called on; nil where
// there is no group.
func (d Door) Open() (*Group, error) {
	if d.V2 == "" && len(d.V1) == 0 {
		return nil, nil
	}
	g := &Group{fd: -1, enter: d.V1, limits: Limits{Pids: d.Pids}, pids: d.PidsDir, pidsV1: d.PidsDir != ""}
	if d.V2 == "" {
		return g, nil
	}
	return g, g.open(d.V2)
}
