job "a" {
  history { age = "7d" }
  schedule {
    every          = "1 hour"
    start_deadline = "0s"
    jitter         = "-5s"
  }
  task "t" {
    command    = "/bin/true"
    timeout    = 30
    kill_grace = "soon"
  }
}
job "b" {
  schedule { every = "10ms" }
  schedule { every = "9000h" }
  schedule {
    every  = "1h"
    jitter = "25h"
  }
  task "t" { driver = "noop" }
}
