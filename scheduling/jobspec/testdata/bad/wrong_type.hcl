job "a" {
  description = 5
  labels      = ["x"]
  history {
    runs = "many"
  }
  schedule {
    cron       = ["@daily"]
    not_before = 2026
  }
  schedule {
    at = ["2026-02-01T00:00:00Z", 5]
  }
  task "t" {
    command      = true
    args         = "--all"
    weight       = "10"
    depends_on   = "u"
    output_limit = []
    env          = { LIST = ["a"], OK = "fine" }
  }
  task "u" {
    command    = "/bin/true"
    args       = ["a", null, "b"]
    depends_on = [1]
    env        = "A=B"
  }
}
