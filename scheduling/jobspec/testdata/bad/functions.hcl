locals {
  list = ["a", "b"]
  file = "name"
}

locals {
  time     = timestamp()
  path     = file("/etc/passwd")
  shell    = env("HOME")
  few      = replace("a", "b")
  many     = upper("a", "b")
  type     = upper(["a"])
  number   = max("a", 1)
  index    = local.list[2]
  key      = local.list.a
  object   = { a = 1 }.b
  cond     = "x" ? 1 : 2
  text     = "a${local.list}"
  loop     = join(",", [for x in 5 : x])
  bound    = [for run in local.list : run]
  modulo   = 1 % 0
  zero     = 1 / (1 - 1)
  sum      = "a" + 1
  json     = jsondecode("{")
  merge    = merge({}, "x")
  range    = range(5000)
  coalesce = coalesce(null, "")
  element  = element([], 0)
  lists    = concat(["a"], "b")
  splat    = local.list[*].name
  each     = each.key
  length   = length(5)
  distinct = distinct([[1], [1]])
  convert  = tonumber("one")
  doubled  = { for x in ["a", "a"] : x => 1 }
  null     = "a${null}"
}

job "a" {
  description = uper("x")
  task "t" { driver = "noop" }
}
