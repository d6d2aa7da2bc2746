job "retry" {
  task "a" {
    command      = "/bin/true"
    idempotent   = true
    on_node_loss = "fail"
    stop_after   = "1m"
    retry {
      attempts    = 3
      backoff     = "5s"
      max_backoff = "1m"
    }
  }
}
