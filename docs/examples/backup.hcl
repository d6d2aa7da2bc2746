# A nightly backup: at 02:30 Berlin time whatever the clocks do, one at a time,
# and never started in the middle of the morning because the cluster was down.
job "backup" {
  description = "copy the database to the backup host"
  labels = {
    team     = "storage"
    critical = "yes"
  }

  schedule {
    cron           = "30 2 * * *"
    timezone       = "Europe/Berlin"
    overlap        = "forbid"
    misfire        = "last"
    start_deadline = "3h"
  }

  task "dump" {
    command = "/usr/local/bin/backup-database"
    args    = ["--to", "/var/backups/database"]
    dir     = "/var/backups"
    env = {
      PGHOST       = "db.internal"
      BACKUP_LEVEL = "full"
    }
    timeout      = "2h"
    kill_grace   = "1m"
    weight       = 20
    output_limit = 1048576
  }
}
