job "a" {
  task "t" { driver = "noop" }
  task "u" { driver = "noop" }
  task "t" {
    command = "/bin/true"
  }
  history {}
  history {}
}
