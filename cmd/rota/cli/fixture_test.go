package cli

import (
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// at is an instant that long before or after the present.
func at(d time.Duration) fsm.Time { return fsm.At(present.Add(d)) }

const (
	failedID  = "01KJM0FAILED0000000000000A"
	waitingID = "01KJM0WAITING000000000000B"
)

func someJobs() []api.Job {
	return []api.Job{
		{
			Job:         fsm.Job{Namespace: "default", Name: "nightly", Version: 3, UpdatedAt: at(-48 * time.Hour)},
			Description: "extract,\n\x1b[31mcrunch\x1b[0m, publish 报告", Labels: map[string]string{"team": "data", "area": "x"},
			Schedules: []string{"0 2 * * * Asia/Shanghai"}, Next: at(6 * time.Hour),
			LastRun: &fsm.Run{ID: failedID, Namespace: "default", Job: "nightly", State: fsm.RunFailed, ScheduledAt: at(-3 * time.Minute)},
			Stats:   &fsm.JobStats{Ran: 12, Skipped: map[string]uint64{"overlap": 2, "missed": 1}},
			Spec: &fsm.JobSpec{Tasks: []fsm.Task{
				{Name: "extract", Driver: fsm.DriverExec, Command: "/bin/extract", Args: []string{"--day", "x"}, Timeout: fsm.Duration(30 * time.Minute), Weight: 10},
				{Name: "crunch", Driver: fsm.DriverShell, Command: "crunch", DependsOn: []string{"extract"}},
			}},
		},
		{Job: fsm.Job{Namespace: "default", Name: "paused-one", Version: 1, Paused: true, PausedAt: at(-time.Hour)}, Schedules: []string{"every 30s"}},
		{Job: fsm.Job{Namespace: "ops", Name: "by-hand", Version: 1}},
	}
}

func someRuns() []fsm.Run {
	return []fsm.Run{
		{ID: waitingID, Namespace: "default", Job: "nightly", Version: 3, State: fsm.RunPending, Trigger: fsm.TriggerSchedule, ScheduledAt: at(3 * time.Second), TasksTotal: 2},
		{ID: "01KJM0RUNNING000000000000C", Namespace: "default", Job: "tick", Version: 1, State: fsm.RunRunning, Trigger: fsm.TriggerManual, CreatedAt: at(-95 * time.Second), StartedAt: at(-94 * time.Second), TasksTotal: 1},
		{ID: failedID, Namespace: "ops", Job: "nightly", Version: 3, State: fsm.RunFailed, Trigger: fsm.TriggerSchedule, ScheduledAt: at(-3 * time.Minute), StartedAt: at(-3*time.Minute + 1200*time.Microsecond), EndedAt: at(-time.Minute), TasksDone: 2, TasksTotal: 2, Reason: "task crunch failed"},
	}
}

func someFires() []fsm.Fire {
	return []fsm.Fire{
		{Job: "nightly", ScheduledAt: at(3 * time.Second), Version: 3, RunID: waitingID},
		{Job: "nightly", ScheduledAt: at(-time.Minute), Version: 3, Outcome: fsm.OutcomeSkipped, Reason: fsm.ReasonOverlap},
		{Job: "nightly", ScheduledAt: at(-3 * time.Minute), Version: 3, Outcome: fsm.OutcomeRan, RunID: failedID},
		{Job: "nightly", ScheduledAt: at(-72 * time.Hour), Until: at(-48 * time.Hour), Count: 1440, Version: 2, Outcome: fsm.OutcomeSkipped, Reason: fsm.ReasonMissed},
	}
}

func someNotifications() []fsm.Notification {
	return []fsm.Notification{
		{Seq: 9, Event: fsm.Event{Name: fsm.EventFailure, Namespace: "default", Job: "nightly", RunID: failedID, OccurredAt: at(-3 * time.Minute)}, Kind: fsm.NotifyWebhook, To: "https://alerts.example.com", Status: fsm.NotificationPending, Tries: 3, NextAt: at(8 * time.Second), LastError: `answered 503: "later"`},
		{Seq: 4, Event: fsm.Event{Name: fsm.EventMissed, Namespace: "default", Job: "nightly", OccurredAt: at(-25 * time.Hour)}, Kind: fsm.NotifyExec, To: "/usr/local/bin/page", Status: fsm.NotificationFailed, Tries: 150, LastError: "exit code 1: no route"},
		{Seq: 2, Event: fsm.Event{Name: fsm.EventRetry, Namespace: "ops", Job: "loud", RunID: waitingID, OccurredAt: at(-26 * time.Hour)}, Kind: fsm.NotifyWebhook, To: "http://10.0.0.9:8080", Status: fsm.NotificationDropped, LastError: "more than 200 notifications of its job waited"},
	}
}

func someNodes() []api.Node {
	return []api.Node{
		{Node: fsm.Node{ID: "id1", Name: "n1", Status: fsm.NodeReady, HTTPAddr: "10.0.0.1:7700", Region: "cn-east", Zone: "a", Capacity: 100, Version: "1.2.3"}, Leader: true, Voter: true, Gossip: "alive", Running: 2, Armed: 1, Load: 11,
			Measured: &api.NodeLoad{Average: 1.25, Cores: 4, MemoryTotal: 8 << 30, MemoryAvailable: 5 << 30, Weight: 11}},
		{Node: fsm.Node{ID: "id2", Name: "n2", Status: fsm.NodeDraining, StatusSetBy: "ann@ops1", StatusSetAt: at(-4 * time.Minute), EvictAt: at(6 * time.Minute), HTTPAddr: "10.0.0.2:7700", Capacity: 100}, SetStatus: fsm.NodeDraining, Voter: true, Gossip: "suspect", Namesakes: []string{"10.0.0.9:7700"}, Running: 3},
		{Node: fsm.Node{ID: "id3", Name: "n3", Status: fsm.NodeDown, HTTPAddr: "10.0.0.3:7700", Capacity: 50}, SetStatus: fsm.NodeDraining},
	}
}

func someRTT() api.RTT {
	return api.RTT{
		Nodes: []string{"n1", "n2"}, Milliseconds: [][]*float64{{new(0.0), new(5.04)}, {new(5.04), nil}},
		Regions: []api.RegionRTT{{Regions: [2]string{"cn-east", "us"}, Milliseconds: 120, Source: "declared"}},
	}
}

func someScaling() api.Autoscale {
	return api.Autoscale{
		Settings: fsm.Autoscale{Provider: fsm.ProviderExec, Min: 2, Max: 9, Command: []string{"/usr/local/bin/machines"}}.WithDefaults(),
		Events: []fsm.ScaleEvent{
			{Index: 90, Kind: fsm.ScaleDown, At: at(-time.Minute), Nodes: 4, Want: 3, Load: 0.12, Running: 48, Capacity: 400, Reason: "load 0.12 over 2m0s is at most 0.30",
				Steps: []fsm.ScaleStep{{Request: "scale-90-0", Name: "n4", State: fsm.ScaleDraining}}},
			{Index: 70, Kind: fsm.ScaleUp, At: at(-time.Hour), EndedAt: at(-59 * time.Minute), Nodes: 3, Want: 4, Load: 0.9, Running: 250, Waiting: 20, Capacity: 300, Reason: "load 0.90 over 2m0s is at least 0.80",
				Steps: []fsm.ScaleStep{{Request: "scale-70-0", State: fsm.ScaleFailed, Tries: 10, Error: "quota exceeded"}}},
		},
	}
}

func someSettings() fsm.Settings {
	return fsm.Settings{
		Format: 2, SetBy: "ann@ops1", SetAt: at(-time.Hour), ModifyIndex: 7,
		ClusterSettings: fsm.ClusterSettings{RegionLatency: []fsm.RegionLatency{{Regions: [2]string{"cn-east", "us"}, RTT: fsm.Duration(120 * time.Millisecond)}}},
	}
}

// failedRun has a retry, a failure with output, and a task that never started.
func failedRun() api.Run {
	run := someRuns()[2]
	run.Reason = ""
	first := fsm.Attempt{Number: 1, Node: "id2", StartedAt: at(-3 * time.Minute), EndedAt: at(-2 * time.Minute), Outcome: fsm.AttemptLost, Error: "the node was lost"}
	second := fsm.Attempt{Number: 2, Node: "id1", StartedAt: at(-90 * time.Second), EndedAt: at(-60 * time.Second), Outcome: fsm.AttemptFailed, ExitCode: 3, Tail: []byte("line one\nline \x1b]0;two\x07\n")}
	return api.Run{Run: run, Tasks: []api.Task{
		{RunTask: fsm.RunTask{Name: "crunch", State: fsm.TaskFailed, Reason: "exit code 3"}, Items: []api.Shard{{
			Shard:    fsm.Shard{RunID: run.ID, Task: "crunch", State: fsm.ShardFailed, Reason: "exit code 3", Current: second, Past: []fsm.Attempt{first}},
			NodeName: "n1",
		}}},
		{RunTask: fsm.RunTask{Name: "notify", State: fsm.TaskFailed, Reason: "status 503"}, Items: []api.Shard{{
			Shard: fsm.Shard{RunID: run.ID, Task: "notify", State: fsm.ShardFailed, Reason: "status 503", Current: called(5, -1, "status 503"), Past: []fsm.Attempt{
				called(1, 2, ""), called(2, 0, "status 500"), {Number: 3, Node: "id1", Outcome: fsm.AttemptTimeout, ExitCode: -1, Signal: "SIGKILL"},
				{Number: 4, Node: "id1", Outcome: fsm.AttemptFailed, ExitCode: -1, Signal: "SIGSEGV"},
			}},
		}}},
		{RunTask: fsm.RunTask{Name: "publish", State: fsm.TaskUpstreamFailed, Reason: "task crunch failed"}, DependsOn: []string{"crunch"}},
	}}
}

// called is an attempt that failed; an older node says 0 where a call has no code.
func called(number, code int, text string) fsm.Attempt {
	return fsm.Attempt{Number: number, Node: "id1", Outcome: fsm.AttemptFailed, ExitCode: code, Error: text}
}

// waitingRun waits at every level.
func waitingRun() api.Run {
	run := someRuns()[0]
	run.Overlap, run.Condition = fsm.OverlapForbid, []string{failedID}
	run.NotBefore = at(3 * time.Second)
	shard := func(i int, s fsm.Shard) api.Shard {
		s.RunID, s.Task, s.Index = run.ID, "crunch", i
		return api.Shard{Shard: s}
	}
	return api.Run{Run: run, Tasks: []api.Task{
		{RunTask: fsm.RunTask{Name: "crunch", State: fsm.TaskPending}, Items: []api.Shard{
			shard(0, fsm.Shard{State: fsm.ShardPending, Reason: "no node has room for weight 40"}),
			shard(1, fsm.Shard{State: fsm.ShardArmed, Current: fsm.Attempt{Number: 1, Node: "id1"}}),
			shard(2, fsm.Shard{State: fsm.ShardRetracting, Why: fsm.WhyPause, Current: fsm.Attempt{Number: 2, Node: "id2"}}),
			shard(3, fsm.Shard{State: fsm.ShardPending, Maybe: true, Current: fsm.Attempt{Number: 1}, Past: []fsm.Attempt{{Number: 1, Node: "gone", Outcome: fsm.AttemptLost}}}),
			shard(4, fsm.Shard{State: fsm.ShardPending}),
		}},
		{RunTask: fsm.RunTask{Name: "publish", State: fsm.TaskWaiting}, DependsOn: []string{"crunch"}},
		{RunTask: fsm.RunTask{Name: "clean", State: fsm.TaskWaiting}},
	}}
}
