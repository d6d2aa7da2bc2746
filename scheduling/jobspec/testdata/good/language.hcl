variable "bucket" { default = "reports" }

variable "regions" {
  type        = list(string)
  default     = ["cn-east", "cn-west"]
  description = "where to collect"
  validation {
    condition     = length(var.regions) > 0 && !contains(var.regions, "")
    error_message = "name at least one region"
  }
}

variable "limits" {
  type    = map(number)
  default = { cn-east = 10 }
}

variable "nothing" {
  type    = string
  default = null
}

locals {
  root  = "/srv/${var.bucket}"
  upper = { for r in var.regions : r => upper(r) }
  tasks = merge({ first = "one" }, { second = "two" })
  price = "$5 and $${x}"
}

locals {
  paths = [for i, r in var.regions : format("%s/%02d-%s", local.root, i, r)]
}

job "language" {
  description = coalesce(var.nothing, join(", ", values(local.upper)))
  labels      = { for k, v in local.tasks : k => v if k != "second" }

  dynamic "schedule" {
    for_each = { morning = "0 6 * * *", evening = "0 18 * * *" }
    content {
      cron     = schedule.value
      timezone = schedule.key == "morning" ? "Asia/Shanghai" : "UTC"
      dynamic "blackout" {
        for_each = schedule.key == "morning" ? ["0 0 * * SUN"] : []
        content {
          cron     = blackout.value
          duration = "24h"
        }
      }
    }
  }

  dynamic "task" {
    for_each = var.regions
    iterator = region
    labels   = ["collect-${region.value}"]
    content {
      command = "/usr/local/bin/collect"
      args    = concat(["--to", local.paths[region.key]], [for l in range(lookup(var.limits, region.value, 2)) : l])
      weight  = lookup(var.limits, region.value, 1)
      env     = { PRICE = local.price, RUN = run.id }
    }
  }

  task "functions" {
    depends_on = [for r in var.regions : "collect-${r}"]
    command    = "/bin/echo"
    args = [
      abs(-1), ceil(1.2), floor(1.8), max(1, 2), min(1, 2), lower("A"), substr("abc", 1, 1),
      trim("xax", "x"), trimspace(" a "), trimprefix("ab", "a"), trimsuffix("ab", "b"), chomp("a\n"),
      replace("a-b", "-", "+"), split(",", "a,b")[1], jsonencode({ a = [1] }), jsondecode("{\"a\":[1,2]}").a[1],
      formatdate("YYYY", "2026-01-02T03:04:05Z"), distinct([1, 1, "1"])[1], element(["a", "b"], 3),
      flatten([["a"], [["b"]]])[1], keys({ b = 1, a = 2 })[0], length("héé"), length({ a = 1 }), reverse(["a", "b"])[0],
      slice(["a", "b", "c"], 1, 2)[0], sort(["b", "a"])[0], zipmap(["a"], [5]).a, tostring(5), tonumber("5") + 1,
      tobool("true"), length(toset(["a", "a"])), ([{ n = "x" }, { n = "y" }][*].n)[1], var.regions[0], { a = { b = 1 } }.a["b"],
      "%{for r in var.regions}${r};%{endfor}", max([1, 2]...), min(1, 0),
    ]
  }
}

dynamic "job" {
  for_each = toset(["a", "b"])
  labels   = ["made-${job.value}"]
  content {
    task "t" { driver = "noop" }
  }
}
