job "a" {
  schedule {
    cron     = "@daily"
    timezone = "Asia/Shangai"
  }
  schedule {
    cron     = "@daily"
    timezone = "Local"
  }
  task "t" { driver = "noop" }
}
