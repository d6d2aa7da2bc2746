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
  affinity "zone" {}
  dynamic "spread" {
    for_each = []
    content {}
  }
}
