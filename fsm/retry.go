package fsm

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// retry puts a failed shard back for another try, if its task allows one, and
// says whether it did. The instant is decided here, so that it survives the
// leader; the jitter is a hash, so that every replica comes to the same one.
func retry(c *change, old *Shard, task *Task, at Time) bool {
	if task == nil || old.Tries+1 >= task.Retry.Attempts {
		return false
	}
	s := *old // what is in the store must not change: its indexes are made of it
	s.Tries++
	s.Reason = fmt.Sprintf("try %d of %d after %s", s.Tries+1, task.Retry.Attempts, s.Current.Failure())
	s.NotBefore = at.Add(task.Retry.delay(s.Tries, jitterOf(&s)))
	s.Line = PlaceInLine(s.NotBefore, c.specOf(c.run(s.RunID)).Rank())
	endAttempt(&s)
	s.State, s.Why = ShardPending, ""
	c.putShard(&s)
	tellAttempt(c, EventRetry, &s, lastOf(&s), s.Reason, at)
	return true
}

// delay is the pause before the n-th retry: backoff, doubled with each, at most
// max_backoff, less up to a quarter by jitter (0 to 255).
func (r Retry) delay(n int, jitter byte) Duration {
	d, limit := r.Backoff, r.MaxBackoff
	if d == 0 {
		d = DefaultBackoff
	}
	if limit == 0 {
		limit = max(DefaultMaxBackoff, d)
	}
	for range n - 1 {
		if d >= limit {
			break
		}
		d *= 2
	}
	d = min(d, limit)
	return d - d/4*Duration(jitter)/255
}

func jitterOf(s *Shard) byte {
	h := fnv.New32a()
	h.Write(shardKey(s.RunID, s.Task, s.Index))
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(s.Tries))
	h.Write(n[:])
	return byte(h.Sum32())
}
