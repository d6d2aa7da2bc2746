job "a" {
  schedule { cron = "@daily" }
}
