job "a" {
  region      = "cn-east"
  priority    = 50
  for_each    = ["a"]
  constraint {}

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
