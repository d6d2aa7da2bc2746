//go:build !race

package fsm

const slow = false
