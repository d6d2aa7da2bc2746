job "a" {
  task "limits" {
    command = "/bin/true"
    user    = 1000
    umask   = "999"
    cpu     = 0
    memory  = "1KiB"
    pids    = 0.5

    isolation = "chroot"
  }
  task "more" {
    command = "/bin/true"
    user    = "no body"
    cpu     = "half"
    memory  = "2 GB"
  }
  task "exec" {
    command = "/bin/true"
    url     = "http://127.0.0.1/"
  }
  task "no-url" {
    driver    = "http"
    isolation = "pidns"
  }
  task "both" {
    driver  = "http"
    url     = "http://127.0.0.1/"
    command = "/bin/true"
  }
  task "call" {
    driver          = "http"
    method          = "get it"
    url             = "ftp://127.0.0.1/"
    headers         = ["a"]
    body            = { a = 1 }
    expected_status = { a = 1 }
  }
  task "status" {
    driver          = "http"
    url             = "${node.foo}"
    expected_status = ["ok"]
  }
  task "driver" {
    driver = "https"
    url    = "http://127.0.0.1/"
  }
}
