locals {
  triples = [for i in range(1000) : length([for j in range(1000) : length([for k in range(1000) : 1])])]
  z       = upper("after it")
}

job "a" {
  description = upper("nothing more is evaluated")
  task "t" { driver = "noop" }
}
