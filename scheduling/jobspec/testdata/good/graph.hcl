variable "prefix" { default = "day" }

job "graph" {
  timeout = "2h"
  after   = ["load", "import"]

  param "day" {
    type        = string
    default     = "today"
    pattern     = "today|[0-9]{4}-[0-9]{2}-[0-9]{2}"
    description = "the day to report on"
  }
  param "limit" {
    type    = number
    default = 100
    one_of  = [10, 100]
  }
  param "full" {
    type    = bool
    default = false
  }

  task "list" {
    command = "/usr/local/bin/list"
    args    = ["--${var.prefix}=${params.day}", "--run", run.id, "${run.trigger}", "a $${literal} $HOME $x"]
    dir     = "/srv/${node.region}/${node.labels.disk-type}"
    env = {
      LIMIT = params.limit
      FULL  = var.prefix == "day" ? "${params.full}" : "no"
      WHEN  = run.scheduled_at
    }
  }
  task "crunch" {
    depends_on = ["list"]
    command    = "/usr/local/bin/crunch"
    args       = concat(["--from=x"], [for i in range(2) : "x${i}"])
    shards {
      items_from   = "list"
      max_parallel = 3
    }
  }
  task "range" {
    command = "/usr/local/bin/crunch"
    args    = ["--from=${shard.start}", "--until=${shard.end}", "${shard.index}/${shard.count}"]
    shards {
      count = 5
      range = [0, 10000]
    }
  }
  task "items" {
    driver  = "shell"
    command = "echo '${shard.items}' on ${node.name}"
    shards { items = ["a", "b", 3] }
  }
  task "everywhere" {
    command = "/usr/local/bin/clean"
    shards { per_node = true }
  }
  task "report" {
    depends_on = ["crunch"]
    command    = "/usr/local/bin/report"
    args       = ["${tasks.list.output}"]
  }
  task "alarm" {
    depends_on = ["crunch", "range", "list"]
    run_if     = "any_failed"
    command    = "/usr/local/bin/alarm"
    args       = ["${tasks.list.output}", tasks["list"].output]
  }
}
