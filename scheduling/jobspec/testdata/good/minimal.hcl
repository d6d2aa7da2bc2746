job "hello" {
  task "greet" {
    command = "/bin/echo"
  }
}
