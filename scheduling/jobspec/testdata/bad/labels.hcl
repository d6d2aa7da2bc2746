job {
  task "t" { command = "/bin/true" }
}
job "a" "b" {
  task "t" { command = "/bin/true" }
}
job "c" {
  task { command = "/bin/true" }
  schedule "x" { cron = "@daily" }
}
