package check

import (
	"fmt"
	"maps"
	"slices"
)

// replicas checks that states at the same index are equal.
func (c *checker) replicas() {
	seen := map[uint64]map[string][]string{}
	for _, h := range c.Hashes {
		if seen[h.Index] == nil {
			seen[h.Index] = map[string][]string{}
		}
		if nodes := seen[h.Index][h.Digest]; !slices.Contains(nodes, h.Node) {
			seen[h.Index][h.Digest] = append(nodes, h.Node)
		}
	}
	for _, index := range slices.Sorted(maps.Keys(seen)) {
		if len(seen[index]) < 2 {
			continue
		}
		detail := fmt.Sprintf("at index %d:", index)
		for _, digest := range slices.Sorted(maps.Keys(seen[index])) {
			detail += fmt.Sprintf(" %s on %v", digest, seen[index][digest])
		}
		c.found.Violations = append(c.found.Violations, Violation{Kind: Diverged, Detail: detail, Story: c.story(fireKey{}, nil)})
		return // what follows from it is no news
	}
}
