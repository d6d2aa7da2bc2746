# The forms that a schedule takes. The tasks do nothing.

job "every-period" {
  description = "every 90 seconds, counted from the Unix epoch"

  schedule {
    every = "90s"
  }

  task "nothing" {
    driver = "noop"
  }
}

job "business-hours" {
  description = "every quarter of an hour on working days, and once on Saturdays"

  schedule {
    cron     = "*/15 9-17 * * MON-FRI"
    timezone = "Europe/Berlin"
  }

  schedule {
    cron     = "0 12 * * SAT"
    timezone = "Europe/Berlin"
  }

  task "nothing" {
    driver = "noop"
  }
}

job "on-these-days" {
  description = "at the instants of a list"

  schedule {
    at = ["2030-01-01T00:00:00Z", "2030-07-01T00:00:00+02:00"]
  }

  task "nothing" {
    driver = "noop"
  }
}

job "for-a-season" {
  description = "hourly, from June to August 2030; missed instants are not made up for"

  schedule {
    cron       = "@hourly"
    not_before = "2030-06-01T00:00:00Z"
    not_after  = "2030-08-31T23:59:59Z"
    misfire    = "skip"
  }

  task "nothing" {
    driver = "noop"
  }
}

# A job without a schedule runs when someone says so: rota run by-hand --follow
job "by-hand" {
  task "greet" {
    driver  = "shell"
    command = "echo hello from $ROTA_NODE"
  }
}
