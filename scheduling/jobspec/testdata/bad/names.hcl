job "no spaces" {
  task "a b" { command = "/bin/true" }
  task "-dash" { command = "/bin/true" }
}
job "b" {
  namespace = "no/slash"
  task "t" { command = "/bin/true" }
}
job "" {
  task "t" { command = "/bin/true" }
}
