job "retry" {
  task "a" {
    command = "/bin/true"
    retry {
      backoff = "10s"
    }
  }
  task "b" {
    command      = "/bin/true"
    idempotent   = "yes"
    on_node_loss = "ignore"
    stop_after   = "1s"
    retry {
      attempts = 3
      tries    = 4
    }
    retry {
      attempts = 3
    }
  }
}
