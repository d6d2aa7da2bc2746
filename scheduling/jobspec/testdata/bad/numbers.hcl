job "a" {
  history { runs = 0 }
  task "t" {
    command      = "/bin/true"
    weight       = 1.5
    output_limit = "10 MiB"
  }
  task "u" {
    command      = "/bin/true"
    weight       = -1
    output_limit = "2GiB"
  }
  task "v" {
    command      = "/bin/true"
    weight       = 99999999999999999999999
    output_limit = "99999999999999999999GiB"
  }
  task "w" {
    command = "/bin/true"
    weight  = 1 / 0
  }
}
