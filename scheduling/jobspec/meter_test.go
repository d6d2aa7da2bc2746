package jobspec

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// testWork is a tenth of what is allowed, so that the tests take seconds.
const testWork = maxWork / 10

// What a few lines ask for is refused before it is done: neither time nor memory
// grow with it.
func TestEvaluationIsBounded(t *testing.T) {
	rep := strings.Repeat
	doubling := func(step string, n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(fmt.Sprintf("x%d = %s\n", i+1, strings.ReplaceAll(step, "X", fmt.Sprintf("local.x%d", i))))
		}
		return b.String()
	}
	for name, locals := range map[string]string{
		"texts":         "x0 = \"0123456789\"\n" + doubling(`"${X}${X}"`, 60),
		"lists":         "x0 = [1]\n" + doubling(`[X, X]`, 60),
		"flat lists":    "x0 = [1]\n" + doubling(`concat(X, X)`, 60),
		"maps":          "x0 = { a = 1 }\n" + doubling(`{ a = X, b = X }`, 60),
		"numbers":       "x0 = 10\n" + doubling(`X * X`, 60),
		"small numbers": "x0 = 0.1\n" + doubling(`X * X`, 60),
		"joins":         "x0 = \"0123456789\"\n" + doubling(`join(X, [X, X, X])`, 60),
		"formats":       "x0 = \"0123456789\"\n" + doubling(`format("%s%s", X, X)`, 60),
		"replacements":  "x0 = \"aaaaaaaaaa\"\n" + doubling(`replace(X, "a", X)`, 60),
		"jsons":         "x0 = \"\\\\\"\n" + doubling(`jsonencode([X, X])`, 60),
		"merges":        "x0 = { a = 1 }\n" + doubling(`merge({ for k, v in X : "${k}a" => v }, { for k, v in X : "${k}b" => v })`, 60),
		"flattened":     "x0 = [1]\n" + doubling(`flatten([X, [X]])`, 60),
		"loops":         "x0 = " + rep("[for x in [1, 2] : ", 60) + "1" + rep("]", 60),
		"empty loops":   "l = range(1000)\nx0 = " + rep("[for x in local.l : length(", 5) + "1" + rep(")]", 5),
		"conditions":    "l = range(1000)\nx0 = " + rep("[for x in local.l : 1 if 0 == length(", 5) + "[]" + rep(")]", 5),
		"template loop": "x0 = \"" + rep("%{for x in [1, 2]}", 60) + "1" + rep("%{endfor}", 60) + "\"",
		"splats":        "l = range(1000)\nx0 = [for a in local.l : length([for b in local.l : length(local.l[*])])]",
		"json depth":    `x0 = jsondecode("` + rep("[", 200_000) + `")`,
		"digits":        `x0 = tonumber("` + rep("9", 200_000) + `")`,
		"more digits":   `x0 = 1 + "` + rep("9", 200_000) + `"`,
		"exponent":      `x0 = ceil("1e999999999")`,
		"expanded":      `x0 = floor(max(["1e999999999", 1]...))`,
		"tonumber":      `x0 = "${tonumber("1e999999999")}"`,
		"modulo":        `x0 = "1e999999999" % "7"`,
		"width":         `x0 = format("%-999999999s", "x")`,
		"precision":     `x0 = format("%.999999999f", 1)`,
		"both":          `x0 = format("%9.999999999f", 1)`,
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			text := "locals {\n" + locals + "\n}\njob \"a\" {\n  task \"t\" { driver = \"noop\" }\n}\n"
			content, diags := decode([]Source{{Name: "x", Bytes: []byte(text)}}, Options{}, testWork)
			specs := content.Jobs
			runtime.ReadMemStats(&after)
			if specs != nil || !diags.HasErrors() {
				t.Fatal("accepted")
			}
			if got := diags[0].Detail; strings.Contains(got, "panic") || strings.Contains(got, "HCL library") {
				t.Errorf("refused by a fault: %s", got)
			}
			if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 500 {
				t.Errorf("allocated %d MiB in all", used)
			}
		})
	}
}

func TestDynamicIsBounded(t *testing.T) {
	rep := strings.Repeat
	text := "job \"a\" {\n" + rep("dynamic \"schedule\" {\nfor_each = range(1000)\ncontent {\ndynamic \"blackout\" {\nfor_each = range(1000)\ncontent {\ncron = \"@daily\"\nduration = \"1h\"\n}\n}\n}\n}\n", 3) + "task \"t\" { driver = \"noop\" }\n}\n"
	content, diags := decode([]Source{{Name: "x", Bytes: []byte(text)}}, Options{}, testWork)
	specs := content.Jobs
	if specs != nil || len(diags) == 0 || diags[len(diags)-1].Summary == unreadable {
		t.Fatalf("%d jobs, %v", len(specs), diags)
	}
	found := false
	for _, d := range diags {
		found = found || d.Summary == tooMuch
	}
	if !found {
		t.Errorf("not refused as too much: %v", diags)
	}
}
