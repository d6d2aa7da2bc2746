package linear

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// TestModel: histories that a single machine could have given, and ones that none
// could.
func TestModel(t *testing.T) {
	call := func(began, ended int64, kind Kind, mark string, out Output) porcupine.Operation {
		return porcupine.Operation{Input: Input{"job", kind, mark}, Call: began, Output: out, Return: ended}
	}
	first := call(1, 2, Put, "a", Output{Found: true, Version: 1})
	for name, tc := range map[string]struct {
		history []porcupine.Operation
		want    bool
	}{
		"what was put is read": {[]porcupine.Operation{first, call(3, 4, Get, "", Output{Found: true, Version: 1, Mark: "a"})}, true},
		"a stale read":         {[]porcupine.Operation{first, call(3, 4, Get, "", Output{})}, false},
		"a read meanwhile":     {[]porcupine.Operation{first, call(1, 4, Get, "", Output{})}, true},
		"a lost put": {[]porcupine.Operation{
			first, call(3, 4, Put, "b", Output{Found: true, Version: 2}), call(5, 6, Get, "", Output{Found: true, Version: 1, Mark: "a"}),
		}, false},
		"an unknown put that came late": {[]porcupine.Operation{
			call(1, 99, Put, "b", Output{Unknown: true}), first, call(3, 4, Get, "", Output{Found: true, Version: 1, Mark: "a"}),
			call(5, 6, Get, "", Output{Found: true, Version: 2, Mark: "b"}),
		}, true},
		"a pause outlives a version, not a deletion": {[]porcupine.Operation{
			first, call(3, 4, Pause, "", Output{Found: true}), call(5, 6, Put, "b", Output{Found: true, Version: 2}),
			call(7, 8, Get, "", Output{Found: true, Version: 2, Mark: "b", Paused: true}), call(9, 10, Delete, "", Output{Found: true}),
			call(11, 12, Resume, "", Output{}), call(13, 14, Put, "c", Output{Found: true, Version: 1}),
			call(15, 16, Get, "", Output{Found: true, Version: 1, Mark: "c"}),
		}, true},
		"a forgotten pause": {[]porcupine.Operation{
			first, call(3, 4, Pause, "", Output{Found: true}), call(5, 6, Get, "", Output{Found: true, Version: 1, Mark: "a"}),
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := porcupine.CheckOperations(model, tc.history); got != tc.want {
				t.Errorf("linearizable: %v, want %v", got, tc.want)
			}
		})
	}
}
