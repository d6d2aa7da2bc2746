package fsm

// Job is what a person applied, less its content: that is in [JobVersion].
type Job struct {
	Namespace string `codec:"ns" json:"namespace"`
	Name      string `codec:"n" json:"name"`
	Version   uint64 `codec:"v" json:"version"`
	// Paused: no fire starts; each due instant is recorded as skipped.
	Paused bool `codec:"p,omitempty" json:"paused"`
	// PausedAt and ResumedAt bound the last pause: instants within it are skipped
	// even if they are decided later.
	PausedAt  Time `codec:"pa,omitempty" json:"paused_at"`
	ResumedAt Time `codec:"ra,omitempty" json:"resumed_at"`
	// Deleting: nothing starts any more, and the job goes away with its last
	// active run.
	Deleting    bool   `codec:"d,omitempty" json:"deleting,omitempty"`
	CreatedAt   Time   `codec:"ca" json:"created_at"`
	UpdatedAt   Time   `codec:"ua" json:"updated_at"`
	CreateIndex uint64 `codec:"ci" json:"create_index"`
	ModifyIndex uint64 `codec:"mi" json:"modify_index"`
}

// Key returns the job's name within the cluster.
func (j *Job) Key() JobKey { return JobKey{j.Namespace, j.Name} }

// JobKey names a job.
type JobKey struct {
	Namespace string `codec:"ns" json:"namespace"`
	Name      string `codec:"n" json:"name"`
}

// String returns "name", or "namespace/name" outside the default namespace.
func (k JobKey) String() string {
	if k.Namespace == DefaultNamespace {
		return k.Name
	}
	return k.Namespace + "/" + k.Name
}

// DefaultNamespace is where jobs live that name no other.
const DefaultNamespace = "default"

// JobVersion is the content of one version of a job. It never changes.
type JobVersion struct {
	Namespace string     `codec:"ns" json:"namespace"`
	Name      string     `codec:"n" json:"name"`
	Version   uint64     `codec:"v" json:"version"`
	CreatedAt Time       `codec:"ca" json:"created_at"`
	Content   packedSpec `codec:"s" json:"-"`
	Reads     Reads      `codec:"r" json:"-"`
}

// Spec returns the content, which must not be changed. It is decoded on demand: to
// look at all jobs costs some microseconds for each. Any goroutine may call it.
func (v *JobVersion) Spec() *JobSpec { return v.Content.spec() }

// History returns the spec's bounds of what is kept of the job's past.
func (v *JobVersion) History() History { return v.Content.history }

// JobKey returns the name of the version's job.
func (v *JobVersion) JobKey() JobKey { return JobKey{v.Namespace, v.Name} }

// Reads says of which tasks other tasks read the output: what a node must send
// along when an attempt of them has ended. Both lists are sorted.
type Reads struct {
	// Lines are the tasks whose last line is read, Lists those whose output is a
	// list of items.
	Lines []string `codec:"o,omitempty"`
	Lists []string `codec:"l,omitempty"`
}

// JobSpec is a job as its file describes it.
type JobSpec struct {
	Namespace   string            `codec:"ns" json:"namespace"`
	Name        string            `codec:"n" json:"name"`
	Description string            `codec:"d,omitempty" json:"description,omitempty"`
	Labels      map[string]string `codec:"l,omitempty" json:"labels,omitempty"`
	Schedules   []Schedule        `codec:"sc,omitempty" json:"schedules,omitempty"`
	Tasks       []Task            `codec:"t" json:"tasks"`
	History     History           `codec:"h" json:"history,omitzero"`
	// Timeout bounds a whole run, from its start; 0 means that nothing does.
	Timeout Duration `codec:"to,omitempty" json:"timeout,omitempty"`
	// Params are the values that a run may be given.
	Params []Param `codec:"p,omitempty" json:"params,omitempty"`
	// After names jobs of the same namespace: once each of them has had a run
	// that succeeded since this job's last run of that kind, a run starts.
	After []string `codec:"af,omitempty" json:"after,omitempty"`
	// ExpectedDuration is how long a run takes when nothing is wrong; 0 means that
	// nobody has said.
	ExpectedDuration Duration `codec:"ed,omitempty" json:"expected_duration,omitempty"`
	// Notify says whom to tell of what becomes of the runs.
	Notify []Notify `codec:"no,omitempty" json:"notify,omitempty"`
	// Priority is 0 to 100; nil means DefaultPriority.
	Priority *int `codec:"pr,omitempty" json:"priority,omitempty"`
	// Region is where the job runs; empty means anywhere.
	Region string `codec:"re,omitempty" json:"region,omitempty"`
	// RegionPolicy says what becomes of work that the region has no room for;
	// empty means RegionPrefer.
	RegionPolicy string `codec:"rp,omitempty" json:"region_policy,omitempty"`
	// Placing holds for every task.
	Placing
}

// Key returns the name of the job that the spec describes.
func (s *JobSpec) Key() JobKey { return JobKey{s.Namespace, s.Name} }

// History bounds what is kept of a job's past. Zero fields mean the defaults.
type History struct {
	Runs int      `codec:"r,omitempty" json:"runs,omitempty"`
	Age  Duration `codec:"a,omitempty" json:"age,omitempty"`
}

// Limits of what is kept of a job.
const (
	DefaultHistoryRuns = 100
	DefaultHistoryAge  = Duration(7 * 24 * 3600 * 1e9)
	// firesPerRun: the ledger reaches further back than the runs, since an
	// outcome costs a tenth of a run.
	firesPerRun = 10
	keptVersion = 10
)

// KeepRuns returns how many ended runs are kept.
func (h History) KeepRuns() int {
	if h.Runs == 0 {
		return DefaultHistoryRuns
	}
	return h.Runs
}

// KeepFires returns how many outcomes of fires are kept.
func (h History) KeepFires() int { return h.KeepRuns() * firesPerRun }

// KeepFor returns for how long ended runs and outcomes are kept.
func (h History) KeepFor() Duration {
	if h.Age == 0 {
		return DefaultHistoryAge
	}
	return h.Age
}

// Overlap policies.
const (
	OverlapAllow   = "allow"
	OverlapForbid  = "forbid"
	OverlapQueue   = "queue"
	OverlapReplace = "replace"
)

// Misfire policies.
const (
	MisfireSkip = "skip"
	MisfireLast = "last"
	MisfireAll  = "all"
)

// Schedule is one schedule block. Exactly one of Cron, Every and At is set.
// The strings are checked by the job-file decoder with the code that evaluates
// them; here they are only bounded.
type Schedule struct {
	Cron          string     `codec:"c,omitempty" json:"cron,omitempty"`
	Every         Duration   `codec:"e,omitempty" json:"every,omitempty"`
	At            []Time     `codec:"a,omitempty" json:"at,omitempty"`
	Timezone      string     `codec:"z,omitempty" json:"timezone,omitempty"`
	Jitter        Duration   `codec:"j,omitempty" json:"jitter,omitempty"`
	NotBefore     Time       `codec:"nb,omitempty" json:"not_before,omitempty"`
	NotAfter      Time       `codec:"na,omitempty" json:"not_after,omitempty"`
	Blackout      []Blackout `codec:"b,omitempty" json:"blackout,omitempty"`
	DSTGap        string     `codec:"dg,omitempty" json:"dst_gap,omitempty"`
	DSTRepeat     string     `codec:"dr,omitempty" json:"dst_repeat,omitempty"`
	Overlap       string     `codec:"o,omitempty" json:"overlap,omitempty"`
	Misfire       string     `codec:"m,omitempty" json:"misfire,omitempty"`
	MisfireLimit  int        `codec:"ml,omitempty" json:"misfire_limit,omitempty"`
	StartDeadline Duration   `codec:"sd,omitempty" json:"start_deadline,omitempty"`
}

// OverlapPolicy returns the policy, forbid if none is set.
func (s *Schedule) OverlapPolicy() string {
	if s.Overlap == "" {
		return OverlapForbid
	}
	return s.Overlap
}

// Blackout is a window in which due instants are skipped: either From and To,
// or the instants of Cron, each for Duration.
type Blackout struct {
	From     Time     `codec:"f,omitempty" json:"from,omitempty"`
	To       Time     `codec:"t,omitempty" json:"to,omitempty"`
	Cron     string   `codec:"c,omitempty" json:"cron,omitempty"`
	Duration Duration `codec:"d,omitempty" json:"duration,omitempty"`
}

// Policies of a job with a region.
const (
	// RegionPrefer: what finds no place there runs in the nearest other region.
	RegionPrefer = "prefer"
	// RegionRequire: it waits.
	RegionRequire = "require"
)

// Drivers of a task.
const (
	DriverExec  = "exec"
	DriverShell = "shell"
	DriverNoop  = "noop"
	DriverHTTP  = "http"
)

// IsolationPidns of a task: its attempts have a namespace of pids of their own.
const IsolationPidns = "pidns"

// Task is a node of a job's graph.
type Task struct {
	Name      string            `codec:"n" json:"name"`
	Driver    string            `codec:"d,omitempty" json:"driver"`
	Command   string            `codec:"c,omitempty" json:"command,omitempty"`
	Args      []string          `codec:"a,omitempty" json:"args,omitempty"`
	Env       map[string]string `codec:"e,omitempty" json:"env,omitempty"`
	Dir       string            `codec:"di,omitempty" json:"dir,omitempty"`
	Timeout   Duration          `codec:"t,omitempty" json:"timeout,omitempty"`
	Grace     Duration          `codec:"g,omitempty" json:"kill_grace,omitempty"`
	Weight    int               `codec:"w,omitempty" json:"weight,omitempty"`
	DependsOn []string          `codec:"do,omitempty" json:"depends_on,omitempty"`
	// OutputLimit bounds what is kept of an attempt's output, in bytes.
	OutputLimit int64 `codec:"ol,omitempty" json:"output_limit,omitempty"`
	Retry       Retry `codec:"r" json:"retry,omitzero"`
	// Idempotent: a second attempt may run beside one that may still be alive.
	Idempotent bool `codec:"ip,omitempty" json:"idempotent,omitempty"`
	// OnNodeLoss says what becomes of a shard whose node is lost.
	OnNodeLoss string `codec:"nl,omitempty" json:"on_node_loss,omitempty"`
	// StopAfter is how long a process outlives its node's contact with the
	// leader; 0 means what the cluster is set to.
	StopAfter Duration `codec:"sa,omitempty" json:"stop_after,omitempty"`
	// User is "name", "uid" or "uid:gid"; empty means the agent's own.
	User string `codec:"u,omitempty" json:"user,omitempty"`
	// Umask is octal, such as "0027"; empty means 022.
	Umask string `codec:"um,omitempty" json:"umask,omitempty"`
	// Isolation is IsolationPidns, or empty for none.
	Isolation string `codec:"is,omitempty" json:"isolation,omitempty"`
	// CPU is a number of cores, Memory bytes, Pids processes; 0 means no limit.
	CPU    float64 `codec:"cp,omitempty" json:"cpu,omitempty"`
	Memory int64   `codec:"me,omitempty" json:"memory,omitempty"`
	Pids   int     `codec:"pi,omitempty" json:"pids,omitempty"`
	// HTTP is the call of the http driver.
	HTTP *HTTPCall `codec:"h,omitempty" json:"http,omitempty"`
	// RunIf says what the tasks of DependsOn must have come to; empty means that
	// all have succeeded.
	RunIf string `codec:"ri,omitempty" json:"run_if,omitempty"`
	// Shards cuts the task into slices; nil means that it has one.
	Shards *Shards `codec:"s,omitempty" json:"shards,omitempty"`
	// Placing adds to that of the job.
	Placing
	// MaxPerNode bounds the attempts of the task that one node holds at once, of
	// all runs of the job; 0 means that only its room does.
	MaxPerNode int `codec:"mn,omitempty" json:"max_per_node,omitempty"`
	// Pools are what an attempt takes of the cluster's pools, by name.
	Pools []PoolUse `codec:"po,omitempty" json:"pools,omitempty"`
}

// Retry says how often a failed shard is tried, and how long between the tries.
// Zero fields mean the defaults.
type Retry struct {
	// Attempts counts every try; 1 or 0 means that there is no second one.
	Attempts   int      `codec:"a,omitempty" json:"attempts,omitempty"`
	Backoff    Duration `codec:"b,omitempty" json:"backoff,omitempty"`
	MaxBackoff Duration `codec:"m,omitempty" json:"max_backoff,omitempty"`
}

// HTTPCall is a request and the answer that counts as success.
type HTTPCall struct {
	Method  string            `codec:"m,omitempty" json:"method,omitempty"`
	URL     string            `codec:"u" json:"url"`
	Headers map[string]string `codec:"h,omitempty" json:"headers,omitempty"`
	Body    string            `codec:"b,omitempty" json:"body,omitempty"`
	// ExpectedStatus holds codes ("204"), classes ("2xx") and ranges
	// ("200-204"); none means "2xx".
	ExpectedStatus []string `codec:"e,omitempty" json:"expected_status,omitempty"`
}

// What becomes of a shard whose node is lost.
const (
	OnLossRestart = "restart"
	OnLossFail    = "fail"
)

// Defaults of a task.
const (
	DefaultGrace       = Duration(10e9)
	DefaultWeight      = 1
	DefaultOutputLimit = 10 << 20
	DefaultBackoff     = Duration(10e9)
	DefaultMaxBackoff  = Duration(600e9)
)

// KillGrace is the time between TERM and KILL.
func (t *Task) KillGrace() Duration {
	if t.Grace == 0 {
		return DefaultGrace
	}
	return t.Grace
}

// RestartOnLoss says whether a shard whose node was lost is tried again. A call
// cannot be fenced: it may have been made, so it is repeated only if it may be.
func (t *Task) RestartOnLoss() bool {
	return t.OnNodeLoss != OnLossFail && (t.DriverName() != DriverHTTP || t.Idempotent)
}

// Load is the task's weight, at least 1.
func (t *Task) Load() int { return max(t.Weight, DefaultWeight) }

// Task returns the task of that name, or nil.
func (s *JobSpec) Task(name string) *Task {
	for i := range s.Tasks {
		if s.Tasks[i].Name == name {
			return &s.Tasks[i]
		}
	}
	return nil
}

// Overlap returns the strictest policy of the job's schedules; a job without a
// schedule allows any number of runs.
func (s *JobSpec) Overlap() string {
	if len(s.Schedules) == 0 {
		return OverlapAllow
	}
	policy := OverlapAllow
	for i := range s.Schedules {
		if p := s.Schedules[i].OverlapPolicy(); p != OverlapAllow {
			policy = p
		}
	}
	return policy
}
