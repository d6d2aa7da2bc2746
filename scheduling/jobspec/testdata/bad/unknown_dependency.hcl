job "a" {
  task "one" { command = "/bin/true" }
  task "two" {
    command    = "/bin/true"
    depends_on = ["one", "oen", "three", "one"]
  }
}
