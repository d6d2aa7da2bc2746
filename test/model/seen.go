package model

import "hash/maphash"

// seen is a set of states, kept as 64 bits of hash each. Among the 10^7 states of
// a search the chance that two share one is about one in 10^5.
type seen struct {
	seed  maphash.Seed
	slots []uint64
	count int
}

func newSeen(bits int) *seen {
	return &seen{seed: maphash.MakeSeed(), slots: make([]uint64, 1<<bits)}
}

func (t *seen) hash(s *State) uint64 { return max(maphash.Comparable(t.seed, *s), 1) }

// add takes a hash into the set, and says whether it is new.
func (t *seen) add(h uint64) bool {
	if 4*t.count > 3*len(t.slots) {
		old := t.slots
		t.slots = make([]uint64, 2*len(old))
		for _, v := range old {
			if v != 0 {
				t.slots[t.find(v)] = v
			}
		}
	}
	i := t.find(h)
	if t.slots[i] == h {
		return false
	}
	t.slots[i] = h
	t.count++
	return true
}

func (t *seen) has(h uint64) bool { return t.slots[t.find(h)] == h }

// find returns the slot that holds h or would.
func (t *seen) find(h uint64) uint64 {
	mask := uint64(len(t.slots) - 1)
	i := h & mask
	for t.slots[i] != 0 && t.slots[i] != h {
		i = (i + 1) & mask
	}
	return i
}
