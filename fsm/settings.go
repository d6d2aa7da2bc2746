package fsm

// Settings is the cluster's own row.
type Settings struct {
	// Format is the newest log format that may be written.
	Format int `codec:"f" json:"format"`
}

// JobStats counts what has become of a job's fires, and how much of its past is
// kept.
type JobStats struct {
	Namespace string            `codec:"ns" json:"namespace"`
	Job       string            `codec:"j" json:"job"`
	Ran       uint64            `codec:"r" json:"ran"`
	Skipped   map[string]uint64 `codec:"s,omitempty" json:"skipped,omitempty"`
	// Runs and Fires are how many ended runs and decided fires are kept now.
	Runs  int `codec:"kr" json:"kept_runs"`
	Fires int `codec:"kf" json:"kept_fires"`
}
