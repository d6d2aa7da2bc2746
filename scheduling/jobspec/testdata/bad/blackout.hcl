job "a" {
  schedule {
    cron = "@daily"
    blackout {}
  }
  schedule {
    cron = "@daily"
    blackout { from = "2026-01-02T00:00:00Z" }
  }
  schedule {
    cron = "@daily"
    blackout {
      from = "2026-01-02T00:00:00Z"
      to   = "2026-01-01T00:00:00Z"
    }
  }
  schedule {
    cron = "@daily"
    blackout { cron = "@weekly" }
  }
  task "t" { driver = "noop" }
}
