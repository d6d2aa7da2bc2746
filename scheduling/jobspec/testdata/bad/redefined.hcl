job "a" {
  description = "one"
  description = "two"
  task "t" { command = "/bin/true" }
}
