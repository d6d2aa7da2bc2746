job "a" {
  region      = "cn-east"
  stop_after  = "1m"
  for_each    = ["a"]
  retry {}

  task "t" {
    command    = "/bin/true"
    expected_duration = "1h"
    for_each   = ["a"]
  }
  affinity "zone" {}
  dynamic "spread" {
    for_each = []
    content {}
  }
}
