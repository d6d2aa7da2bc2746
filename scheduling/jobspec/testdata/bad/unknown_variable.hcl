job "a" {
  schedule {
    cron    = "@daily"
    overlap = forbid
  }
  task "t" {
    driver  = "shell"
    command = "echo ${HOME}"
  }
}
