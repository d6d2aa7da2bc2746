locals {
  a       = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
  b       = join("", [for i in range(1000) : local.a])
  c       = join("", [for i in range(1000) : local.b])
  width   = format("%1000000d", 1)
  verbs   = format("%[1]s %[1]s %[1]s %[1]s %[1]s %[1]s %[1]s %[1]s %[1]s %[1]s %[1]s %[1]s %[1]s %[1]s %[1]s", local.b)
  replace = replace(local.b, "0", local.b)
  empty   = replace(local.b, "", local.b)
  text    = "${local.b}${local.b}${local.b}${local.b}${local.b}${local.b}${local.b}${local.b}${local.b}${local.b}${local.b}"
  split   = split("", join("", [local.b, local.b]))
  json    = jsondecode("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]")
  pairs   = [for i in range(1000) : [for j in range(1000) : 1]]
  power   = 1000000000 * 1000000000 * 1000000000 * 1000000000 * 1000000000 * 1000000000
  power2  = local.power * local.power * local.power * local.power * local.power * local.power * local.power
  power3  = local.power2 * local.power2
  huge    = "1e999999999" % 7
  digits  = 1 + local.b
  deep1   = [[[[[[[[[[1]]]]]]]]]]
  deep2   = [[[[[[[[[[[[local.deep1]]]]]]]]]]]]
  deep3   = [[[[[[[[[[[[local.deep2]]]]]]]]]]]]
}

job "a" {
  task "t" { driver = "noop" }
}
