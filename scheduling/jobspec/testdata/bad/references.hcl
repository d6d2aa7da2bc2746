variable "prefix" { default = "x" }

job "a" {
  description = "run ${run.id}"
  param "day" { default = "x" }

  schedule {
    cron     = "@daily"
    timezone = node.region
  }
  task "first" {
    command = upper(run.id)
    args    = [run.id == "x" ? "a" : "b", shard.index + 1, "${length(run.id)}", run.idd, shard, node.labels]
    env     = { A = params.dya, B = params.day.x, (run.id) = "x", C = run["id"], D = run.id[0] }
    dir     = "/srv/${tasks.second.output}"
    weight  = shard.count
  }
  task "second" {
    driver  = "shell"
    command = "cat $${tasks.first.output} ${tasks.first.output} ${tasks.secnd.output} ${tasks.first.status} $$$${run.id} ${HOME}"
  }
  task "fourth" {
    depends_on = ["third"]
    run_if     = "all_done"
    command    = "/bin/${tasks.first.output}"
    args       = ["${tasks.fourth.output}", "${tasks.third.output}"]
  }
  task "third" {
    depends_on = ["first"]
    command    = "/bin/${tasks.first.output}"
    args       = [for i in range(2) : "${run.id}-${i}" if run.id != ""]
    env        = { A = "$${x}", B = "$$${run.id}" }
    dir        = [for x in [run.id] : x][0]
  }
}
