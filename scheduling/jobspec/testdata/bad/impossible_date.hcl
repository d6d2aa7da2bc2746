job "a" {
  schedule { cron = "0 0 30 2 *" }
  schedule { at = "2026-02-30T00:00:00Z" }
  schedule { at = ["2026-02-01T00:00:00Z", "tomorrow", "2026-01-01"] }
  schedule { at = [] }
  schedule { at = "1969-12-31T00:00:00Z" }
  schedule {
    cron      = "@daily"
    not_after = "2300-01-01T00:00:00Z"
  }
  task "t" { driver = "noop" }
}
