package fsm

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"
)

// Follow is one entry of a job's after list, seen from the job that it names.
type Follow struct {
	Namespace string `codec:"ns" json:"namespace"`
	Upstream  string `codec:"u" json:"upstream"`
	Job       string `codec:"j" json:"job"`
	// RunID is the upstream job's latest run that succeeded since the follower's
	// last run of this kind; empty if there is none.
	RunID string `codec:"r,omitempty" json:"run_id,omitempty"`
}

// followersOf yields the entries that name a job.
func followersOf(c *change, upstream JobKey) iter.Seq[*Follow] {
	return scan[Follow](&c.View, tableFollows, indexID, jobKey(upstream))
}

// putFollows brings the entries of a job in line with its after list. What an
// upstream job has done already stays noted.
func putFollows(c *change, job JobKey, old, now []string) {
	for _, name := range old {
		if !slices.Contains(now, name) {
			c.remove(tableFollows, &Follow{Namespace: job.Namespace, Upstream: name, Job: job.Name})
		}
	}
	for _, name := range now {
		if !slices.Contains(old, name) {
			c.putFollow(&Follow{Namespace: job.Namespace, Upstream: name, Job: job.Name})
		}
	}
}

// startFollowers notes a run's success for the jobs that follow its job, and
// starts those for which it was the last that they waited for.
func startFollowers(c *change, run *Run, at Time) {
	for f := range followersOf(c, run.JobKey()) {
		noted := *f
		noted.RunID = run.ID
		c.putFollow(&noted)
		job := c.job(JobKey{f.Namespace, f.Job})
		if job == nil || job.Deleting || job.Paused {
			continue
		}
		spec := c.version(job.Key(), job.Version).Spec()
		if takeSuccesses(c, spec) {
			startFollower(c, job, spec, run, at)
		}
	}
}

// takeSuccesses says whether every job that this one follows has succeeded, and
// if so has each do so anew before the next run.
func takeSuccesses(c *change, spec *JobSpec) bool {
	var entries []*Follow
	for _, name := range spec.After {
		f := get[Follow](&c.View, tableFollows, followKey(spec.Namespace, name, spec.Name))
		if f.RunID == "" {
			return false
		}
		entries = append(entries, f)
	}
	for _, f := range entries {
		fresh := *f
		fresh.RunID = ""
		c.putFollow(&fresh)
	}
	return true
}

// startFollower makes a run of a job whose turn has come. Where the overlap
// policy forbids it, the run is there all the same, as cancelled: nobody waits
// for an answer, and it must not vanish in silence.
func startFollower(c *change, job *Job, spec *JobSpec, upstream *Run, at Time) {
	params, err := spec.resolveParams(nil, (*Param).checkChoice)
	run := &Run{
		ID: followRunID(job.Key(), c.index, upstream.ID, at), Namespace: job.Namespace, Job: job.Name, Version: job.Version,
		Trigger: TriggerAfter, UpstreamRunID: upstream.ID, CreatedAt: at, Overlap: spec.Overlap(), Params: params,
	}
	if err == nil && run.Overlap == OverlapAllow {
		run.Opened = true
		createRun(c, run, spec)
		return
	}
	if err == nil {
		_, err = startExclusive(c, run, spec)
	}
	if err != nil {
		createRun(c, run, spec)
		cancelUnstarted(c, c.run(run.ID), ReasonOverlap, at)
	}
}

// followRunID returns the identity of the run that an upstream run's success
// makes. The index keeps it apart from that of the same run's success after it
// was retried.
func followRunID(job JobKey, index uint64, upstream string, at Time) string {
	h := sha256.New()
	h.Write(jobKey(job))
	h.Write(text(upstream))
	h.Write(binary.BigEndian.AppendUint64(nil, index))
	var id ulid.ULID
	_ = id.SetTime(uint64(max(at, 0) / 1e6)) // fails only past the year 10889
	copy(id[6:], h.Sum(nil))
	return id.String()
}

// checkAfter refuses an after list that names a job that is not there, or that
// closes a circle. specs are the jobs of the same request.
func checkAfter(c *change, spec *JobSpec, specs map[JobKey]*JobSpec) error {
	after := func(k JobKey) ([]string, bool) {
		if s := specs[k]; s != nil {
			return s.After, true
		}
		if job := c.job(k); job != nil {
			return c.version(k, job.Version).Spec().After, true
		}
		return nil, false
	}
	for _, name := range spec.After {
		if _, ok := after(JobKey{spec.Namespace, name}); !ok {
			return &FieldError{"after", fmt.Sprintf("there is no job %q, neither in the cluster nor in this request", name)}
		}
	}
	if circle := circleOf(spec, after); circle != nil {
		return &FieldError{"after", "the jobs wait for each other: " + strings.Join(circle, " -> ")}
	}
	return nil
}

// circleOf returns the names on a way from a job back to itself, or nil.
func circleOf(spec *JobSpec, after func(JobKey) ([]string, bool)) []string {
	from := map[string]string{} // by whom each job was reached first
	queue := []string{spec.Name}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		next, _ := after(JobKey{spec.Namespace, name})
		for _, n := range next {
			if n == spec.Name {
				way := []string{n}
				for at := name; at != spec.Name; at = from[at] {
					way = append(way, at)
				}
				return append(way, spec.Name)
			}
			if _, seen := from[n]; !seen {
				from[n] = name
				queue = append(queue, n)
			}
		}
	}
	return nil
}
