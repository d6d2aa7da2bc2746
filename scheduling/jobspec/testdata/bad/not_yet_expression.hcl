job "a" {
  task "t" {
    command = "/bin/${run.id}"
    args    = ["${shard.start}"]
    dir     = "/srv/${node.name}"
    env = {
      A = params.day
    }
  }
  task "u" {
    command = "/bin/${tasks.t.exit_code}"
    args    = [for x in ["a"] : x]
    dir     = upper("x")
    timeout = var.timeout
  }
  task "v" {
    command = ["a"][0]
    args    = ["a"][*]
    dir     = local.dir
  }
  task "w" {
    driver  = "shell"
    command = <<-EOT
      %{ for x in ["a"] }${x}%{ endfor }
    EOT
  }
}
