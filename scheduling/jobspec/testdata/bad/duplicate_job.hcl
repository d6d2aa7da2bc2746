job "a" {
  task "t" { driver = "noop" }
}

job "b" {
  task "t" { driver = "noop" }
}

job "a" {
  task "t" { driver = "noop" }
}
