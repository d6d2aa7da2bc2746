package fsm

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Bounds of a job. They keep one job from taking the memory or the log of all.
const (
	MaxNameLength  = 128
	MaxTasks       = 10_000
	MaxSchedules   = 64
	MaxArgs        = 1_000
	MaxSpecBytes   = 1 << 20
	MaxWeight      = 1_000_000
	MaxHistoryRuns = 10_000
	MaxOutputLimit = 1 << 30
	MaxCPU         = 4096
	MinMemory      = 1 << 20
	MaxPids        = 4 << 20
	// MaxRetryAttempts bounds the tries of a shard.
	MaxRetryAttempts = 1000
	// MinStopAfter keeps a process from being fenced by a lease's ordinary gaps.
	MinStopAfter = Duration(5e9)
	MaxStopAfter = Duration(24 * 3600 * 1e9)
	// MaxDuration bounds every duration of a job, so that adding one to an
	// instant stays within the range of Time.
	MaxDuration = Duration(10 * 365 * 24 * 3600 * 1e9)
)

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// FieldError is one broken rule. Path names the field as the job file does:
// `task "extract" depends_on`.
type FieldError struct {
	Path    string
	Message string
}

func (e *FieldError) Error() string { return e.Path + ": " + e.Message }

// Unwrap makes every FieldError an ErrInvalid.
func (e *FieldError) Unwrap() error { return ErrInvalid }

// CheckName says whether a job, task, node or namespace may be called s.
func CheckName(s string) error {
	if len(s) > MaxNameLength || !nameForm.MatchString(s) {
		return fmt.Errorf("%w: name %q: want 1 to %d letters, digits, '.', '_' or '-', beginning with a letter or digit",
			ErrInvalid, s, MaxNameLength)
	}
	return nil
}

// Validate returns every rule that the spec breaks, in the order of the file.
// What needs the time rules (cron expressions, zones) is not checked here.
func (s *JobSpec) Validate() []*FieldError {
	v := &validator{}
	v.name("namespace", s.Namespace)
	v.name("name", s.Name)
	v.between("history runs", int64(s.History.Runs), 0, MaxHistoryRuns)
	v.duration("history age", s.History.Age)
	if len(s.Schedules) > MaxSchedules {
		v.add("schedule", "at most %d schedule blocks, found %d", MaxSchedules, len(s.Schedules))
	}
	for i := range s.Schedules {
		v.schedule(indexed("schedule", i), &s.Schedules[i])
	}
	switch {
	case len(s.Tasks) == 0:
		v.add("task", "a job needs at least one task block")
	case len(s.Tasks) > MaxTasks:
		v.add("task", "at most %d tasks, found %d", MaxTasks, len(s.Tasks))
	default:
		v.tasks(s.Tasks)
		v.graph(s)
	}
	v.duration("timeout", s.Timeout)
	v.region(s)
	v.placing("", &s.Placing)
	if s.Priority != nil {
		v.between("priority", int64(*s.Priority), 0, MaxPriority)
	}
	v.params(s)
	v.after(s)
	v.notify(s)
	if n := len(encode(s)); n > MaxSpecBytes {
		v.add("job", "its content takes %d bytes, at most %d are allowed", n, MaxSpecBytes)
	}
	return v.errs
}

func (v *validator) region(s *JobSpec) {
	if s.Region != "" {
		v.name("region", s.Region)
	}
	v.oneOf("region_policy", s.RegionPolicy, RegionPrefer, RegionRequire)
	if s.RegionPolicy != "" && s.Region == "" {
		v.add("region_policy", "is of no use without a region")
	}
}

// indexed names one of several blocks that have no name of their own.
func indexed(block string, i int) string { return fmt.Sprintf("%s[%d]", block, i) }

type validator struct{ errs []*FieldError }

func (v *validator) add(path, format string, args ...any) {
	v.errs = append(v.errs, &FieldError{path, fmt.Sprintf(format, args...)})
}

func (v *validator) name(path, s string) {
	if err := CheckName(s); err != nil {
		v.add(path, "%s", strings.TrimPrefix(err.Error(), ErrInvalid.Error()+": "))
	}
}

func (v *validator) between(path string, n, low, high int64) {
	if n < low || n > high {
		v.add(path, "%d is outside %d to %d", n, low, high)
	}
}

func (v *validator) duration(path string, d Duration) {
	if d < 0 || d > MaxDuration {
		v.add(path, "%s is outside 0s to %s", d, MaxDuration)
	}
}

func (v *validator) oneOf(path, s string, accepted ...string) {
	if s == "" {
		return
	}
	for _, a := range accepted {
		if s == a {
			return
		}
	}
	v.add(path, "%q: want one of %s", s, strings.Join(accepted, ", "))
}

func (v *validator) schedule(path string, s *Schedule) {
	forms := 0
	for _, set := range []bool{s.Cron != "", s.Every != 0, len(s.At) > 0} {
		if set {
			forms++
		}
	}
	if forms != 1 {
		v.add(path, "want exactly one of cron, every and at, found %d", forms)
	}
	v.oneOf(path+" overlap", s.Overlap, OverlapAllow, OverlapForbid, OverlapQueue, OverlapReplace)
	v.oneOf(path+" misfire", s.Misfire, MisfireSkip, MisfireLast, MisfireAll)
	v.between(path+" misfire_limit", int64(s.MisfireLimit), 0, 1000)
	v.duration(path+" every", s.Every)
	v.duration(path+" start_deadline", s.StartDeadline)
	v.duration(path+" jitter", s.Jitter)
}

func (v *validator) tasks(tasks []Task) {
	seen := make(map[string]bool, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		path := fmt.Sprintf("task %q", t.Name)
		v.name(path, t.Name)
		if seen[t.Name] {
			v.add(path, "there is already a task of this name")
		}
		seen[t.Name] = true
		v.task(path, t)
	}
	known := true
	for i := range tasks {
		named := make(map[string]bool, len(tasks[i].DependsOn))
		for _, d := range tasks[i].DependsOn {
			if !seen[d] {
				known = false
				v.add(fmt.Sprintf("task %q depends_on", tasks[i].Name), "there is no task %q in this job", d)
			}
			if named[d] {
				v.add(fmt.Sprintf("task %q depends_on", tasks[i].Name), "names task %q twice", d)
			}
			named[d] = true
		}
	}
	if !known {
		return
	}
	if cycle := findCycle(tasks); cycle != nil {
		v.add(fmt.Sprintf("task %q depends_on", cycle[0]), "the tasks wait for each other: %s", strings.Join(cycle, " -> "))
	}
}

func (v *validator) task(path string, t *Task) {
	v.oneOf(path+" driver", t.Driver, DriverExec, DriverShell, DriverHTTP, DriverNoop)
	if t.Command == "" && (t.DriverName() == DriverExec || t.DriverName() == DriverShell) {
		v.add(path+" command", "the %s driver needs a command", t.DriverName())
	}
	if t.Driver == DriverShell && len(t.Args) > 0 {
		v.add(path+" args", "the shell driver takes the whole script in command and no args")
	}
	v.between(path+" args", int64(len(t.Args)), 0, MaxArgs)
	v.between(path+" weight", int64(t.Weight), 0, MaxWeight)
	v.between(path+" output_limit", t.OutputLimit, 0, MaxOutputLimit)
	v.duration(path+" timeout", t.Timeout)
	v.duration(path+" kill_grace", t.Grace)
	v.recovery(path, t)
	v.limits(path, t)
	v.call(path, t)
	v.oneOf(path+" run_if", t.RunIf, RunIfAllSuccess, RunIfAllDone, RunIfAnyFailed)
	if t.RunIf == RunIfAnyFailed && len(t.DependsOn) == 0 {
		v.add(path+" run_if", "%q needs depends_on: without it nothing can fail before", t.RunIf)
	}
	v.shards(path+" shards", t)
	v.placing(path+" ", &t.Placing)
	v.pools(path+" pools", t.Pools)
	v.between(path+" max_per_node", int64(t.MaxPerNode), 0, MaxPerNodeLimit)
	for _, name := range slices.Sorted(maps.Keys(t.Env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			v.add(path+" env", "%q is no name of an environment variable", name)
		}
	}
}

// recovery checks what happens when an attempt fails or its node is lost.
func (v *validator) recovery(path string, t *Task) {
	v.between(path+" retry attempts", int64(t.Retry.Attempts), 0, MaxRetryAttempts)
	v.duration(path+" retry backoff", t.Retry.Backoff)
	v.duration(path+" retry max_backoff", t.Retry.MaxBackoff)
	v.oneOf(path+" on_node_loss", t.OnNodeLoss, OnLossRestart, OnLossFail)
	if t.StopAfter != 0 && (t.StopAfter < MinStopAfter || t.StopAfter > MaxStopAfter) {
		v.add(path+" stop_after", "%s is outside %s to %s", t.StopAfter, MinStopAfter, MaxStopAfter)
	}
}

var umaskForm = regexp.MustCompile(`^0?[0-7]{1,3}$`)

// limits checks as whom an attempt runs, and what it may use.
func (v *validator) limits(path string, t *Task) {
	if t.Umask != "" && !umaskForm.MatchString(t.Umask) {
		v.add(path+" umask", "%q: want three octal digits, such as \"027\"", t.Umask)
	}
	v.user(path+" user", t.User)
	v.oneOf(path+" isolation", t.Isolation, IsolationPidns)
	if d := t.DriverName(); t.Isolation != "" && d != DriverExec && d != DriverShell {
		v.add(path+" isolation", "the %s driver starts no process", d)
	}
	if !(t.CPU >= 0 && t.CPU <= MaxCPU) { // not a number is neither
		v.add(path+" cpu", "%v is outside 0 to %d cores", t.CPU, MaxCPU)
	}
	if t.Memory != 0 && t.Memory < MinMemory {
		v.add(path+" memory", "%d bytes is less than %d", t.Memory, MinMemory)
	}
	v.between(path+" pids", int64(t.Pids), 0, MaxPids)
}

func (v *validator) user(path, s string) {
	if strings.ContainsAny(s, " \t\n\x00/") || len(s) > MaxNameLength {
		v.add(path, "%q: want a name, a uid, or uid:gid", s)
	}
}

// call checks the request of the http driver.
func (v *validator) call(path string, t *Task) {
	switch {
	case t.DriverName() != DriverHTTP:
		if t.HTTP != nil {
			v.add(path+" driver", "url, method, headers, body and expected_status need driver = \"http\"")
		}
		return
	case t.HTTP == nil:
		v.add(path+" url", "the http driver needs a url")
		return
	case t.Command != "" || len(t.Args) > 0:
		v.add(path+" command", "the http driver runs no command")
	}
	u, err := url.Parse(t.HTTP.URL)
	if strings.Contains(t.HTTP.URL, "${") {
		u, err = &url.URL{Scheme: "http", Host: "known when it runs"}, nil
	}
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		v.add(path+" url", "%q: want a form such as https://host/path", t.HTTP.URL)
	}
	if !methodForm.MatchString(t.HTTP.Method) {
		v.add(path+" method", "%q: want a method such as GET or POST", t.HTTP.Method)
	}
	for _, e := range t.HTTP.ExpectedStatus {
		if !statusForm.MatchString(e) {
			v.add(path+" expected_status", "%q: want a code (\"204\"), a class (\"2xx\") or a range (\"200-204\")", e)
		}
	}
}

var (
	methodForm = regexp.MustCompile(`^[A-Z]{0,16}$`)
	statusForm = regexp.MustCompile(`^([1-5]\d\d|[1-5]xx|[1-5]\d\d-[1-5]\d\d)$`)
)

// DriverName returns the driver, exec if none is set.
func (t *Task) DriverName() string {
	if t.Driver == "" {
		return DriverExec
	}
	return t.Driver
}

// findCycle returns the names along one cycle, its first repeated at the end,
// or nil. Every dependency must exist. It does not recurse: a graph of ten
// thousand tasks in a row is a legal job.
func findCycle(tasks []Task) []string {
	waits := make(map[string]int, len(tasks))
	dependents := make(map[string][]string, len(tasks))
	var free []string
	for i := range tasks {
		t := &tasks[i]
		waits[t.Name] = len(t.DependsOn)
		if len(t.DependsOn) == 0 {
			free = append(free, t.Name)
		}
		for _, d := range t.DependsOn {
			dependents[d] = append(dependents[d], t.Name)
		}
	}
	for len(free) > 0 {
		name := free[len(free)-1]
		free = free[:len(free)-1]
		for _, d := range dependents[name] {
			if waits[d]--; waits[d] == 0 {
				free = append(free, d)
			}
		}
	}
	return walkCycle(tasks, waits)
}

// walkCycle follows dependencies among the tasks that never became free until a
// name repeats.
func walkCycle(tasks []Task, waits map[string]int) []string {
	stuck := make(map[string]*Task)
	var name string
	for i := range tasks {
		if waits[tasks[i].Name] > 0 {
			stuck[tasks[i].Name] = &tasks[i]
			if name == "" {
				name = tasks[i].Name
			}
		}
	}
	if name == "" {
		return nil
	}
	at := map[string]int{}
	var path []string
	for {
		if i, ok := at[name]; ok {
			return append(path[i:], name)
		}
		at[name] = len(path)
		path = append(path, name)
		for _, d := range stuck[name].DependsOn {
			if stuck[d] != nil {
				name = d
				break
			}
		}
	}
}
