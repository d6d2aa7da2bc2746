package scheduling

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rota-scheduler/rota/fsm"
)

// LoadSample is how busy the nodes in use were at one moment, in weights.
type LoadSample struct {
	At               fsm.Time
	Nodes            int
	Running, Waiting int
	Capacity         int
}

// load is what runs or waits as a share of the capacity.
func (s *LoadSample) load() float64 {
	return float64(s.Running+s.Waiting) / float64(max(s.Capacity, 1))
}

// ScaleInput is all that a decision on the size of the cluster depends on.
type ScaleInput struct {
	Now      fsm.Time
	Settings fsm.Autoscale
	// Samples are in the order of their instants; the last one is of now.
	Samples []LoadSample
	// LastChange is when the last change of size ended or, if it is under way,
	// began; 0 if there was none.
	LastChange fsm.Time
}

// ScaleDecision is by how many nodes to change; 0 means not at all.
type ScaleDecision struct {
	Delta  int
	Load   float64
	Reason string
}

// DecideScale is a pure function. Outside of min and max it does not wait for a
// window; new machines have the cooldown to show up. Within them it goes by the average over a whole window, and only when the
// cooldown since the last change has passed. It gives up no more nodes than leave
// the load below the middle of the two thresholds, so that one change does not
// call for the opposite one.
func DecideScale(in ScaleInput) ScaleDecision {
	s := in.Settings.WithDefaults()
	if len(in.Samples) == 0 {
		return ScaleDecision{Reason: "nothing is known of the load yet"}
	}
	nodes := in.Samples[len(in.Samples)-1].Nodes
	load, whole := averageLoad(in.Samples, in.Now.Add(-s.Window))
	d := ScaleDecision{Load: load}
	since := fsm.Duration(in.Now.Sub(in.LastChange))
	cooled := func(cooldown fsm.Duration) bool { return in.LastChange == 0 || since >= cooldown }
	switch {
	case nodes < s.Min && !cooled(s.UpCooldown):
		d.Reason = fmt.Sprintf("%d nodes are in use, fewer than min; the last change was %s ago", nodes, since)
	case nodes < s.Min:
		d.Delta, d.Reason = s.Min-nodes, fmt.Sprintf("%d nodes are in use, fewer than min", nodes)
	case nodes > s.Max:
		d.Delta, d.Reason = s.Max-nodes, fmt.Sprintf("%d nodes are in use, more than max", nodes)
	case !whole:
		d.Reason = fmt.Sprintf("the load is not known for a whole window of %s yet", s.Window)
	case load >= s.UpAt && !cooled(s.UpCooldown), load <= s.DownAt && !cooled(s.DownCooldown):
		d.Reason = fmt.Sprintf("load %.2f; the last change was %s ago", load, since)
	case load >= s.UpAt:
		d.Delta = min(stepOf(nodes, s.Step), s.Max-nodes)
		d.Reason = fmt.Sprintf("load %.2f over %s is at least %.2f", load, s.Window, s.UpAt)
	case load <= s.DownAt:
		d.Delta = -sparable(nodes, load, s)
		d.Reason = fmt.Sprintf("load %.2f over %s is at most %.2f", load, s.Window, s.DownAt)
	default:
		d.Reason = fmt.Sprintf("load %.2f is between %.2f and %.2f", load, s.DownAt, s.UpAt)
	}
	return d
}

// averageLoad weighs each sample by the time until the next one. whole says
// whether the samples reach back to since.
func averageLoad(samples []LoadSample, since fsm.Time) (load float64, whole bool) {
	var sum, span float64
	for i := range samples[:len(samples)-1] {
		from, to := max(samples[i].At, since), samples[i+1].At
		if to > from {
			sum += samples[i].load() * float64(to-from)
			span += float64(to - from)
		}
	}
	if span == 0 {
		return samples[len(samples)-1].load(), false
	}
	return sum / span, samples[0].At <= since
}

func stepOf(nodes int, step float64) int { return max(1, int(math.Round(float64(nodes)*step))) }

// sparable is how many nodes can be given up.
func sparable(nodes int, load float64, s fsm.Autoscale) int {
	n := max(0, min(stepOf(nodes, s.Step), nodes-s.Min))
	for n > 0 && load*float64(nodes)/float64(nodes-n) >= (s.UpAt+s.DownAt)/2 {
		n--
	}
	return n
}

// Removable is a node that may be given up.
type Removable struct {
	Node  *fsm.Node
	Held  int // weight of what it holds
	Voter bool
}

// PickRemovals chooses at most n nodes to give up: those that hold least, without
// a vote before those with one, and never the leader. park says that the nodes stay
// members of the cluster, so that votes do not count. Otherwise at most one voter
// goes at a time, and only while those that are left are still a majority of all
// that vote; live is how many voters are in touch, voters how many there are.
func PickRemovals(nodes []Removable, n int, leader string, live, voters int, park bool) []*fsm.Node {
	rank := func(r *Removable) int {
		if r.Voter && !park {
			return 1
		}
		return 0
	}
	sorted := slices.Clone(nodes)
	slices.SortFunc(sorted, func(a, b Removable) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), cmp.Compare(a.Held, b.Held), strings.Compare(a.Node.ID, b.Node.ID))
	})
	var picked []*fsm.Node
	mayVote := live-1 >= voters/2+1
	for i := range sorted {
		r := &sorted[i]
		switch {
		case len(picked) >= n:
			return picked
		case r.Node.ID == leader:
			continue
		case rank(r) == 1 && !mayVote:
			continue
		case rank(r) == 1:
			mayVote = false
		}
		picked = append(picked, r.Node)
	}
	return picked
}
