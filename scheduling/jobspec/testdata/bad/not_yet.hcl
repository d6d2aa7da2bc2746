variable "bucket" { default = "reports" }
locals { a = 1 }

job "a" {
  region      = "cn-east"
  priority    = 50
  after       = ["b"]
  timeout     = "1h"
  param "day" {}
  constraint {}

  task "t" {
    command    = "/bin/true"
    run_if     = "all_done"
    cpu        = 1
    shards { count = 3 }
  }
  task "u" {
    driver = "http"
    url    = "http://127.0.0.1/"
  }
  notify "webhook" {}
  dynamic "task" {}
}
