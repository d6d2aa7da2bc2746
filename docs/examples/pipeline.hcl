# A graph: two extracts side by side, then a report that needs both, then two
# tasks that need the report. A task starts when all it depends on succeeded; if
# one of them fails, what depends on it does not start.
job "daily-report" {
  description = "extract, build the report, publish it"
  labels      = { team = "data" }

  schedule {
    cron     = "0 6 * * MON-FRI"
    timezone = "Asia/Shanghai"
    jitter   = "5m"
  }

  task "extract-orders" {
    command = "/usr/local/bin/extract"
    args    = ["orders"]
    timeout = "30m"
    weight  = 10
  }

  task "extract-customers" {
    command = "/usr/local/bin/extract"
    args    = ["customers"]
    timeout = "30m"
    weight  = 10
  }

  task "report" {
    depends_on = ["extract-orders", "extract-customers"]
    command    = "/usr/local/bin/build-report"
    timeout    = "1h"
    weight     = 40
  }

  task "publish" {
    depends_on = ["report"]
    driver     = "shell"
    command    = <<-EOT
      set -eu
      rsync --archive /srv/report/ web.internal:/srv/www/report/
      echo "published run $ROTA_RUN_ID from $ROTA_NODE"
    EOT
  }

  task "archive" {
    depends_on = ["report"]
    driver     = "shell"
    command    = "tar --create --gzip --file /srv/archive/$ROTA_RUN_ID.tar.gz /srv/report"
  }
}
