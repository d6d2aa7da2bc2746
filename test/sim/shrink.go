package sim

import "slices"

// maxShrinks bounds how often a failing schedule is played to make it smaller.
const maxShrinks = 60

// Shrink drops steps for as long as the schedule still fails, halves first, then
// ever smaller parts, and returns what is left.
func Shrink(s Schedule, fails func(Schedule) bool) Schedule {
	plays := 0
	for size := len(s.Steps) / 2; size > 0; size /= 2 {
		for from := 0; from < len(s.Steps); {
			if plays == maxShrinks {
				return s
			}
			plays++
			fewer := s
			fewer.Steps = slices.Delete(slices.Clone(s.Steps), from, min(from+size, len(s.Steps)))
			if fails(fewer) {
				s = fewer
			} else {
				from += size
			}
		}
	}
	return s
}
