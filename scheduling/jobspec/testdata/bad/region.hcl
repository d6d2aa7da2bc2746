job "a" {
  region        = "cn east"
  region_policy = "insist"

  task "x" {
    driver = "noop"
  }
}

job "b" {
  region_policy = "require"

  task "x" {
    driver = "noop"
  }
}
