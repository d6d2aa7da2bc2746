package fsm

// A shard waits in a line. Its place there is the instant from which it waits,
// less a head start for each point of its job's priority: the earlier goes first.
// Since all that wait grow older together, the order never changes by itself, and
// what comes later passes only what waits for less than its head start.
const (
	MaxPriority     = 100
	DefaultPriority = 50
	// HeadStart is what one point of priority is worth: a job of priority 0 is
	// ahead of all that comes anew once it has waited for 100 of them.
	HeadStart = Duration(6e9)
)

// Rank returns the job's priority.
func (s *JobSpec) Rank() int {
	if s.Priority == nil {
		return DefaultPriority
	}
	return *s.Priority
}

// PlaceInLine returns the place in the line of what waits from an instant on.
func PlaceInLine(since Time, priority int) Time {
	return since.Add(-HeadStart * Duration(priority))
}

// Aged returns the place in line ahead of which nothing new can come any more.
func Aged(now Time) Time { return PlaceInLine(now, MaxPriority) }
