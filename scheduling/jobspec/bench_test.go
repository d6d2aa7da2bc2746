package jobspec

import (
	"fmt"
	"strings"
	"testing"
)

// Ten thousand jobs in a hundred files, each with a schedule in a zone and two
// tasks.
func BenchmarkDecode10000Jobs(b *testing.B) {
	sources := make([]Source, 100)
	bytes := 0
	for i := range sources {
		var text strings.Builder
		for n := range 100 {
			writeBenchJob(&text, i*100+n)
		}
		sources[i] = Source{Name: fmt.Sprintf("%d.hcl", i), Bytes: []byte(text.String())}
		bytes += text.Len()
	}
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	for b.Loop() {
		content, diags := Decode(sources, Options{})
		specs := content.Jobs
		if diags.HasErrors() || len(specs) != 10_000 {
			b.Fatal(len(specs), diags)
		}
	}
}

func writeBenchJob(text *strings.Builder, n int) {
	fmt.Fprintf(text, `job "job-%d" {
  description = "extract and publish number %d"
  labels      = { team = "data", number = %d }

  schedule {
    cron           = "%d %d * * *"
    timezone       = "Europe/Berlin"
    start_deadline = "10m"
    jitter         = "30s"
  }

  task "extract" {
    command = "/usr/local/bin/extract"
    args    = ["--job", "%d", "--full"]
    env     = { MODE = "nightly" }
    timeout = "30m"
  }

  task "publish" {
    depends_on = ["extract"]
    command    = "/usr/local/bin/publish"
  }
}
`, n, n, n, n%60, n%24, n)
}
