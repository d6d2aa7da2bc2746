job "a" {
  schedule {}
  schedule {
    cron  = "@daily"
    every = "1h"
  }
  schedule {
    cron    = "@daily"
    overlap = "sometimes"
    misfire = "most"
    dst_gap = "jump"
  }
  schedule {
    cron          = "@daily"
    misfire_limit = 100000
  }
  schedule {
    every   = "1h"
    dst_gap = "skip"
  }
  schedule {
    cron       = "@daily"
    not_before = "2026-02-01T00:00:00Z"
    not_after  = "2026-01-01T00:00:00Z"
  }
  schedule {
    at        = "2026-02-01T00:00:00Z"
    not_after = "2026-01-01T00:00:00Z"
  }
  task "t" { driver = "noop" }
}
