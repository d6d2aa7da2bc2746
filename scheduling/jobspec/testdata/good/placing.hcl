# Where the work of a job may go, and in what order it goes there.
pool "db" {
  limit = 3
}

pool "licences" {
  limit = 10
}

job "crunch" {
  priority = 0

  constraint {
    attribute = "os"
    value     = "linux"
  }
  constraint {
    attribute = "label.cuda"
    operator  = "version"
    value     = ">= 12.1, < 13"
  }
  affinity {
    attribute = "label.disk"
    operator  = "in"
    values    = ["ssd", "nvme"]
  }
  spread {
    attribute = "zone"
    weight    = 100
  }

  task "load" {
    command = "/usr/local/bin/load"
    pool    = "db"
  }

  task "crunch" {
    command      = "/usr/local/bin/crunch"
    depends_on   = ["load"]
    max_per_node = 2
    pools        = { licences = 2, db = 1 }

    shards {
      count = 8
    }
    constraint {
      attribute = "name"
      operator  = "regexp"
      value     = "^worker-[0-9]+$"
    }
    constraint {
      attribute = "zone"
      operator  = "!="
      value     = "c"
    }
    affinity {
      attribute = "arch"
      value     = "arm64"
      weight    = -20
    }
    spread {
      attribute = "name"
    }
  }
}
