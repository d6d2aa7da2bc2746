package jobspec

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkDecode reads jobs, a hundred in a file, each with a schedule in a zone and
// two tasks.
func BenchmarkDecode(b *testing.B) {
	for _, jobs := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			sources := make([]Source, jobs/100)
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
				if diags.HasErrors() || len(content.Jobs) != jobs {
					b.Fatal(len(content.Jobs), diags)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(jobs), "ns/job")
		})
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
