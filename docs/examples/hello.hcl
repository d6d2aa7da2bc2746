# Three small jobs to see rota at work:
#
#   rota dev docs/examples/hello.hcl

# Due every second. Every instant runs, even if the run before is still busy.
job "tick" {
  description = "say hello every second"

  schedule {
    every   = "1s"
    overlap = "allow"
  }

  task "hello" {
    driver  = "shell"
    command = "echo hello from $ROTA_NODE, due at $ROTA_SCHEDULED_AT"
  }
}

# Due every three seconds, and busy for four: a run that is due while the one
# before is still active is skipped, and "rota fires slow" says so.
job "slow" {
  description = "take longer than the time between two runs"

  schedule {
    every   = "3s"
    overlap = "forbid"
  }

  task "work" {
    driver  = "shell"
    command = "echo working; sleep 4; echo done"
    timeout = "10s"
  }
}

# A graph of two tasks: "load" starts when "extract" has succeeded, on whichever
# node has room.
job "pipeline" {
  description = "two tasks, one after the other"

  schedule {
    cron    = "*/5 * * * * *"
    overlap = "allow"
  }

  task "extract" {
    driver  = "shell"
    command = "echo run $ROTA_RUN_ID: reading; sleep 1"
  }

  task "load" {
    depends_on = ["extract"]
    driver     = "shell"
    command    = "echo run $ROTA_RUN_ID: writing"
  }
}
