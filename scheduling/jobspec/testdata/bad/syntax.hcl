job "a" {
  task "t" {
    command = "/bin/true
  }
}
