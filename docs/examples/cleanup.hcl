# Many machines' worth of small chores: jitter spreads jobs that share a
# schedule, each by an amount of its own that stays the same.
job "clean-tmp" {
  description = "remove what nobody has touched for a week"

  schedule {
    cron           = "@daily"
    jitter         = "30m"
    misfire        = "skip"
    start_deadline = "10m"
  }

  task "find" {
    command = "find"
    args    = ["/var/tmp", "-xdev", "-type", "f", "-atime", "+7", "-print", "-delete"]
    timeout = "15m"
  }
}

job "rotate-keys" {
  description = "on the first day of each month"

  schedule {
    cron = "@monthly"
  }

  task "rotate" {
    command    = "/usr/local/bin/rotate-keys"
    kill_grace = "30s"
    timeout    = "5m"
  }
}
