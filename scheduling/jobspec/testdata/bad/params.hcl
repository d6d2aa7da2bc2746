job "a" {
  timeout = "0s"
  after   = ["a", "b", "b", "no/name"]

  param "day" { type = date }
  param "day" {}
  param "bad name" { default = "x" }
  param "number" {
    type    = number
    default = "many"
  }
  param "choice" {
    one_of  = ["a", "b"]
    default = "c"
  }
  param "pattern" {
    pattern = "("
    default = "x"
  }
  param "list" {
    default = ["a"]
  }
  param "needed" {}
  param "unknown" {
    default = 5
    choices = ["a"]
  }
  task "t" { driver = "noop" }
}
