job "a" {
  schedule {
    cron = "@daily"
  }
  task "t" { command = "/bin/true" }
}

job "b" {
  task "t" {
    driver  = "shell"
    command = "true"
  }
}

job "a" {
  namespace = "other"
  task "t" { driver = "noop" }
}
