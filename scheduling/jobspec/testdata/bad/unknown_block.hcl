job "a" {
  task "t" { command = "/bin/true" }
  shedule {
    cron = "@daily"
  }
  command {}
}
jobb "b" {}
name = "x"
