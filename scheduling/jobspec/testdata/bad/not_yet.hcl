job "a" {
  region      = "cn-east"
  priority    = 50
  for_each    = ["a"]
  constraint {}

  task "t" {
    command    = "/bin/true"
    cpu        = 1
    for_each   = ["a"]
  }
  task "u" {
    driver = "http"
    url    = "http://127.0.0.1/"
  }
  notify "webhook" {}
  dynamic "notify" {
    for_each = []
    content {}
  }
}
