//go:build !race

package scheduling

const underRace = false
