job "same" {
  task "t" { driver = "noop" }
}
