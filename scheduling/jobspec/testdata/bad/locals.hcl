locals {
  a     = local.b
  b     = "x${local.c}"
  c     = [for x in [1] : local.a]
  self  = local.self
  whole = local
  run   = run.id
  twice = 1
}
locals {
  twice = 2
  bad   = 1 / 0
  needs = local.bad
  unknown = locale.a
  inner {}
}

job "a" {
  description = local.a
  labels      = { a = local.twic, b = local.needs }
  task "t" { driver = "noop" }
}
