# One job for many machines' worth of work. It takes values from outside:
#
#   rota plan docs/examples/shards.hcl --var shards=20
#   ROTA_VAR_root=/data rota apply docs/examples/shards.hcl
#   rota run crunch --param day=2026-03-01
variable "root" {
  default     = "/srv"
  description = "the folder with the input and the results"
}

variable "shards" {
  type    = number
  default = 5
  validation {
    condition     = var.shards >= 1 && var.shards <= 100
    error_message = "use 1 to 100 shards"
  }
}

locals {
  records = 10000
  result  = "${var.root}/result"
}

job "crunch" {
  description = "crunch ${local.records} records in ${var.shards} parts"
  timeout     = "6h"

  param "day" {
    default     = "yesterday"
    pattern     = "yesterday|[0-9]{4}-[0-9]{2}-[0-9]{2}"
    description = "the day to work on"
  }

  schedule {
    cron     = "0 1 * * *"
    timezone = "Europe/Berlin"
  }

  # Each shard gets a part of the range, and runs wherever there is room.
  task "crunch" {
    command = "/usr/local/bin/crunch"
    args = [
      "--day=${params.day}",
      "--from=${shard.start}",
      "--until=${shard.end}",
      "--to=${local.result}/${run.id}/${shard.index}",
    ]
    weight = 10
    retry { attempts = 3 }
    shards {
      count        = var.shards
      range        = [0, local.records]
      max_parallel = 10
    }
  }

  task "merge" {
    depends_on = ["crunch"]
    command    = "/usr/local/bin/merge"
    args       = ["${local.result}/${run.id}"]
  }

  task "alarm" {
    depends_on = ["crunch", "merge"]
    run_if     = "any_failed"
    driver     = "shell"
    command    = "echo 'run ${run.id} has failed' | mail -s ${run.job} ops"
  }
}

# Runs once "crunch" has succeeded, on every node.
job "spread" {
  description = "fetch the result to every node"
  after       = ["crunch"]

  task "fetch" {
    command = "/usr/bin/rsync"
    args    = ["--archive", "result.internal:${local.result}/${run.upstream_id}/", local.result]
    shards { per_node = true }
  }
}
