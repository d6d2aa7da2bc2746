job "a" {
  task "both" {
    command = "/bin/true"
    shards {
      count    = 3
      per_node = true
    }
  }
  task "none" {
    command = "/bin/true"
    shards { max_parallel = 2 }
  }
  task "range" {
    command = "/bin/true"
    shards { range = [0, 10] }
  }
  task "ends" {
    command = "/bin/true"
    shards {
      count = 2
      range = [10, 0]
    }
  }
  task "wrong" {
    command = "/bin/true"
    shards {
      count        = 0
      range        = [0.5, 3]
      items        = []
      items_from   = 5
      max_parallel = "all"
      per_node     = "yes"
    }
    shards {}
  }
  task "length" {
    command = "/bin/true"
    shards {
      count = 2
      range = [1, 2, 3]
    }
  }
  task "from" {
    command = "/bin/true"
    shards { items_from = "both" }
  }
  task "from-shards" {
    depends_on = ["both"]
    command    = "/bin/true"
    shards { items_from = "both" }
  }
  task "two" {
    command = "/bin/true"
    run_if  = "all_succeed"
    shards {
      items      = ["a"]
      items_from = "none"
      cuont      = 3
    }
  }
}
