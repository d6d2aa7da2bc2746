package netswitch

import (
	"io"
	"time"
)

// delayed is a packet that is under way.
type delayed struct {
	at     time.Time
	seq    uint64 // keeps packets of one instant in order
	link   *link
	device io.Writer
	bytes  []byte
}

// packets is a heap by arrival.
type packets struct {
	list []*delayed
	seq  uint64
}

func (q *packets) Len() int { return len(q.list) }

func (q *packets) Less(i, j int) bool {
	a, b := q.list[i], q.list[j]
	if a.at.Equal(b.at) {
		return a.seq < b.seq
	}
	return a.at.Before(b.at)
}

func (q *packets) Swap(i, j int) { q.list[i], q.list[j] = q.list[j], q.list[i] }

func (q *packets) Push(x any) {
	p := x.(*delayed)
	q.seq++
	p.seq = q.seq
	q.list = append(q.list, p)
}

func (q *packets) Pop() any {
	last := len(q.list) - 1
	p := q.list[last]
	q.list[last] = nil
	q.list = q.list[:last]
	return p
}
