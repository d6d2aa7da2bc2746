variable "empty" { default = "" }

job "webhooks" {
  task "t" { command = "/bin/true" }
  notify "mail" {
    on = ["failure"]
  }
  notify "webhook" {}
  notify "webhook" {
    on  = ["failure", "failed", "failure", "slow"]
    url = "ftp://host/x"
  }
  notify "webhook" {
    on          = []
    url         = "https://host/"
    secret      = "a"
    secret_file = "/b"
    command     = "/bin/true"
  }
  notify "webhook" {
    on          = ["missed"]
    url         = "https://host/${run.id}"
    secret      = var.empty
    secret_file = "relative"
    timeout     = "61s"
  }
  notify "webhook" {
    on     = "failure"
    url    = "https://host/"
    secret = 5
    colour = "red"
  }
}

job "commands" {
  expected_duration = "0s"
  task "t" { command = "/bin/true" }
  notify "exec" {
    on = ["slow"]
  }
  notify "exec" {
    on      = ["failure"]
    command = "/bin/true"
    user    = "two words"
    env     = { "A=B" = "c" }
    url     = "https://host/"
  }
  notify {
    on = ["failure"]
  }
}
