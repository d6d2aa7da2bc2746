# A job for each region, made from one map.
variable "regions" {
  type = map(object({ zone = string, hosts = list(string) }))
  default = {
    eu = { zone = "Europe/Berlin", hosts = ["eu-1", "eu-2"] }
    cn = { zone = "Asia/Shanghai", hosts = ["cn-1"] }
  }
}

dynamic "job" {
  for_each = var.regions
  labels   = ["report-${job.key}"]
  content {
    description = "report on ${join(", ", job.value.hosts)}"
    labels      = { region = upper(job.key) }

    schedule {
      cron     = "0 6 * * MON-FRI"
      timezone = job.value.zone
    }

    # One task for each host, side by side, and one that needs them all.
    dynamic "task" {
      for_each = job.value.hosts
      labels   = ["collect-${task.value}"]
      content {
        command = "/usr/local/bin/collect"
        args    = ["--host", task.value, "--number", task.key]
        timeout = "10m"
      }
    }

    task "report" {
      depends_on = [for host in job.value.hosts : "collect-${host}"]
      command    = "/usr/local/bin/report"
      args       = [job.key]
    }
  }
}
