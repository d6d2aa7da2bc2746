# Who is told when a backup fails, is missed or takes too long: a webhook whose
# requests are signed, and a program on the machine that leads.
#
#   rota apply --var hook_secret="$(cat hook.secret)" notify.hcl
variable "hook_secret" {
  default     = "change me"
  description = "what the receiver checks the signatures with"
}

job "backup-with-alerts" {
  expected_duration = "40m"

  schedule {
    cron           = "30 1 * * *"
    timezone       = "Europe/Berlin"
    start_deadline = "15m"
  }

  task "backup" {
    command = "/usr/local/bin/backup"
    args    = ["--all"]
    retry {
      attempts = 3
      backoff  = "1m"
    }
  }

  notify "webhook" {
    on     = ["failure", "missed", "slow"]
    url    = "https://alerts.example.com/rota"
    secret = var.hook_secret
  }

  notify "exec" {
    on      = ["failure"]
    command = "/usr/local/bin/page"
    args    = ["--team", "storage"]
    user    = "nobody"
    timeout = "30s"
  }
}
