# Every block and attribute that there is.
job "nightly-report" {
  description = "extract, crunch, publish"
  namespace   = "reports"
  labels      = { team = "data", tier = 2, "on call" = true }

  expected_duration = "1h"
  region            = "cn-east"
  region_policy     = "require"

  notify "webhook" {
    on      = ["success", "failure", "retry", "missed", "lost", "slow"]
    url     = "https://alerts.example.com/rota?team=data"
    secret  = "s3cret"
    timeout = "5s"
  }
  notify "webhook" {
    on          = ["failure"]
    url         = "http://127.0.0.1:9000/"
    secret_file = "/etc/rota/hook.secret"
  }
  notify "exec" {
    on      = ["failure"]
    command = "/usr/local/bin/page"
    args    = ["--level", 2]
    env     = { TEAM = "data" }
    user    = "nobody"
  }

  history {
    runs = 30
    age  = "720h"
  }

  schedule {
    cron           = "0 2 * * MON-FRI"
    timezone       = "Asia/Shanghai"
    overlap        = "forbid"
    misfire        = "all"
    misfire_limit  = 5
    start_deadline = "10m"
    jitter         = "30s"
    not_before     = "2026-03-01T00:00:00+08:00"
    not_after      = "2027-03-01T00:00:00.5Z"
    dst_gap        = "skip"
    dst_repeat     = "both"

    blackout {
      from = "2026-12-24T00:00:00Z"
      to   = "2026-12-27T00:00:00Z"
    }
    blackout {
      cron     = "0 0 1 * *"
      duration = "6h"
    }
  }

  schedule {
    every   = "1h30m"
    overlap = "allow"
    misfire = "skip"
    jitter  = "0s"
  }

  schedule {
    at      = ["2026-05-01T12:00:00Z", "2026-06-01T12:00:00+02:00"]
    misfire = "last"
  }

  schedule {
    at = "2026-07-01T12:00:00Z"
  }

  task "extract" {
    driver       = "exec"
    command      = "/usr/local/bin/extract"
    args         = ["--limit", 10 * 1000, "--full", true]
    env          = { TOKEN_FILE = "/run/token", RETRIES = 3, RATIO = 0.5, DEBUG = false }
    dir          = "/var/lib/extract"
    timeout      = "30m"
    kill_grace   = "20s"
    weight       = 10
    output_limit = "64KiB"
  }

  task "publish" {
    driver       = "shell"
    depends_on   = ["extract"]
    output_limit = 1048576
    command      = <<-EOT
      set -e
      echo "$HOME and $${HOME}"
      publish --all
    EOT
  }

  task "done" {
    driver     = "noop"
    depends_on = ["extract", "publish"]
  }
}
