package fsm

// graph is an index of a job's tasks.
type graph struct {
	tasks      map[string]*Task
	dependents map[string][]*Task
}

func newGraph(spec *JobSpec) *graph {
	g := &graph{make(map[string]*Task, len(spec.Tasks)), make(map[string][]*Task, len(spec.Tasks))}
	for i := range spec.Tasks {
		t := &spec.Tasks[i]
		g.tasks[t.Name] = t
		for _, d := range t.DependsOn {
			g.dependents[d] = append(g.dependents[d], t)
		}
	}
	return g
}

// smallGraph is up to how many tasks an index costs more than going through them.
const smallGraph = 16

// maxGraphTasks bounds the tasks that are indexed at a time.
const maxGraphTasks = 200_000

// graphs remembers the index of each version of a large job that has come up
// lately. Only Apply's goroutine uses it, and nothing that Apply decides depends
// on what it holds.
type graphs struct {
	of    map[*JobVersion]*graph
	tasks int
}

func (g *graphs) get(v *JobVersion) *graph {
	if found := g.of[v]; found != nil {
		return found
	}
	spec := v.Spec()
	if g.of == nil || g.tasks+len(spec.Tasks) > maxGraphTasks {
		g.of, g.tasks = map[*JobVersion]*graph{}, 0
	}
	made := newGraph(spec)
	g.of[v] = made
	g.tasks += len(spec.Tasks)
	return made
}

// taskOf returns a task of an active run as the job describes it.
func (c *change) taskOf(run *Run, name string) *Task {
	v := c.version(run.JobKey(), run.Version)
	if spec := v.Spec(); len(spec.Tasks) <= smallGraph {
		return spec.Task(name)
	}
	return c.graphs.get(v).tasks[name]
}

// dependentsOf lists what depends on a task, in the order of the file.
func (c *change) dependentsOf(run *Run, task string) []*Task {
	v := c.version(run.JobKey(), run.Version)
	spec := v.Spec()
	switch {
	case len(spec.Tasks) == 1:
		return nil
	case len(spec.Tasks) <= smallGraph:
		return newGraph(spec).dependents[task]
	}
	return c.graphs.get(v).dependents[task]
}

// releaseReady releases every task that waits for no other, which may end some
// at once.
func releaseReady(c *change, run *Run, at Time) {
	spec := c.specOf(run)
	var ended []*RunTask
	for i := range spec.Tasks {
		t := &spec.Tasks[i]
		if rt := c.task(run.ID, t.Name); rt.State != TaskWaiting || rt.Unmet > 0 {
			continue
		}
		if done := releaseTask(c, run, t, at); done != nil {
			ended = append(ended, done)
		}
	}
	tasksEnded(c, run, ended, at)
}

// tasksEnded carries the ends of tasks to what depends on them, and ends the run
// with its last task. It works through a queue: graphs may be deep.
func tasksEnded(c *change, run *Run, queue []*RunTask, at Time) {
	if len(queue) == 0 {
		return
	}
	r := *run
	for len(queue) > 0 {
		t := queue[0]
		queue = queue[1:]
		r.TasksDone++
		if t.State.Failed() {
			r.TasksFailed++
		}
		for _, dep := range c.dependentsOf(&r, t.Name) {
			if ended := settle(c, &r, dep, t, at); ended != nil {
				queue = append(queue, ended)
			}
		}
	}
	c.putRun(&r)
	if r.TasksDone == r.TasksTotal {
		endRun(c, &r, at)
	}
}

// settle tells a task that one of those that it depends on has ended, and returns
// it if it ended by that.
func settle(c *change, run *Run, dep *Task, t *RunTask, at Time) *RunTask {
	rt := *c.task(run.ID, dep.Name)
	if rt.State != TaskWaiting {
		return nil
	}
	end := func(state TaskState, reason string) *RunTask {
		rt.State, rt.Reason, rt.EndedAt = state, reason, at
		c.putTask(&rt)
		return &rt
	}
	if run.Cancelling {
		return end(TaskCancelled, "")
	}
	if t.State.Failed() && rt.Upstream == "" {
		rt.Upstream = t.Name
		if t.State == TaskUpstreamFailed {
			rt.Upstream = t.Upstream
		}
	}
	if dep.Condition() == RunIfAllSuccess {
		switch {
		case t.State == TaskSkipped:
			return end(TaskSkipped, "task "+t.Name+" was skipped")
		case t.State == TaskUpstreamFailed:
			return end(TaskUpstreamFailed, t.Reason)
		case t.State.Failed():
			return end(TaskUpstreamFailed, "task "+t.Name+" "+string(t.State))
		}
	}
	rt.Unmet--
	if rt.Unmet == 0 && dep.Condition() == RunIfAnyFailed && rt.Upstream == "" {
		return end(TaskSkipped, "nothing failed")
	}
	c.putTask(&rt)
	if rt.Unmet > 0 {
		return nil
	}
	return releaseTask(c, run, dep, at)
}
