job "a" {
  schedule { cron = "99 2 * * *" }
  schedule { cron = "0 2 * *" }
  schedule { cron = "0 0,12,24 * * *" }
  schedule { cron = "0 2 * * FUNDAY" }
  schedule { cron = "@fortnightly" }
  schedule { cron = "" }
  schedule { cron = "0 ${2 * 20} * * *" }
  schedule { cron = "0 2 \u002a * 9" }
  schedule { cron = "0 0 L * *" }
  schedule {
    cron = <<EOT
99 2 * * *
EOT
  }
  schedule {
    cron = "@daily"
    blackout {
      cron     = "0 25 * * *"
      duration = "1h"
    }
  }
  task "t" { driver = "noop" }
}
