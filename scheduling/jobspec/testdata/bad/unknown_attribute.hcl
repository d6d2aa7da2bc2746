job "a" {
  descripton = "misspelt"
  colour     = "red"
  task "t" {
    command = "/bin/true"
    argz    = []
  }
  schedule {
    cron     = "@daily"
    timezome = "UTC"
  }
}
