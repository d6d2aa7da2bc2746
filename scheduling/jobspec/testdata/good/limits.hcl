job "limits" {
  param "token" { default = "none" }

  task "small" {
    command = "/bin/true"
    user    = "nobody"
    umask   = "027"
    cpu     = 0.5
    memory  = "256MiB"
    pids    = 100

    isolation = "pidns"
  }
  task "call" {
    driver          = "http"
    method          = "POST"
    url             = "https://example.com/hooks/${run.id}?job=${run.job}"
    headers         = { Authorization = "Bearer ${params.token}", X-Attempt = 1 }
    body            = jsonencode({ literal = "$${x}" })
    expected_status = [200, "204", "3xx", "500-503"]
    timeout         = "10s"
  }
  task "get" {
    driver          = "http"
    url             = "http://127.0.0.1:8080/"
    expected_status = 204
  }
}
