job "a" {
  description = "${1e999999999}"
  task "t" { command = "/bin/true" }
}
