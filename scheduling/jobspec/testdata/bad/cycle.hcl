job "a" {
  task "start" { command = "/bin/true" }
  task "one" {
    command    = "/bin/true"
    depends_on = ["start", "three"]
  }
  task "two" {
    command    = "/bin/true"
    depends_on = ["one"]
  }
  task "three" {
    command    = "/bin/true"
    depends_on = ["two"]
  }
}
job "b" {
  task "self" {
    command    = "/bin/true"
    depends_on = ["self"]
  }
}
