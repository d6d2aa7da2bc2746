//go:build race

package scheduling

// underRace: the race detector makes everything about eight times slower.
const underRace = true
