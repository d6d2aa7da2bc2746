job "a" {
  task "exec" {}
  task "shell" {
    driver = "shell"
    args   = ["a"]
  }
  task "null" { command = null }
  task "empty" { command = "" }
  task "driver" {
    driver  = "docker"
    command = "x"
  }
  task "env" {
    command = "x"
    env     = { "A=B" = "c" }
  }
  task "twice" {
    command = "x"
    env     = { A = "1", A = "2" }
  }
  task "zero" {
    command = "a\u0000b"
    args    = ["fine", "\u0000"]
  }
}
