job "a" {
  region      = "cn-east"
  priority    = 50
  for_each    = ["a"]
  constraint {}

  task "t" {
    command    = "/bin/true"
    isolation  = "chroot"
    for_each   = ["a"]
  }
  notify "webhook" {}
  dynamic "notify" {
    for_each = []
    content {}
  }
}
