dynamic "job" {
  for_each = ["a", "b"]
  labels   = ["same"]
  content {
    task "t" { driver = "noop" }
  }
}
dynamic "variable" {
  for_each = []
  content {}
}

job "a" {
  dynamic "schedul" {
    for_each = []
    content {}
  }
  dynamic "schedule" {
    for_each = 5
    content { cron = "@daily" }
  }
  dynamic "schedule" {
    for_each = ["0 25 * * *"]
    content { cron = schedule.value }
  }
  dynamic "schedule" {
    for_each = ["@daily"]
    iterator = run
    content { cron = run.value }
  }
  dynamic "schedule" {
    for_each = ["@daily"]
    iterator = s
    content { cron = schedule.value }
  }
  dynamic "schedule" {
    for_each = ["@daily"]
  }
  dynamic "schedule" {
    content {}
  }
  dynamic {}
  dynamic "task" {
    for_each = ["x", "y"]
    labels   = [task.value, "more"]
    content { driver = "noop" }
  }
  dynamic "task" {
    for_each = ["z"]
    content { driver = "noop" }
  }
  dynamic "task" {
    for_each = ["z"]
    labels   = [task.name]
    content { driver = "noop" }
  }
  dynamic "task" {
    for_each = null
    labels   = ["n"]
    content { driver = "noop" }
  }
  task "t" { driver = "noop" }
}
