pool "db" {
  limit = 3
}

pool "db" {
  limit = 4
}

pool "empty" {
}

pool "none" {
  limit = 0
}

pool "bad name" {
  limit = 1
}

job "a" {
  priority = 101

  constraint {
    value = "x"
  }
  constraint {
    attribute = "colour"
    value     = "red"
  }
  constraint {
    attribute = "zone"
    operator  = "like"
    value     = "a"
  }
  constraint {
    attribute = "zone"
  }
  constraint {
    attribute = "zone"
    operator  = "in"
    value     = "a"
  }
  constraint {
    attribute = "zone"
    values    = ["a"]
  }

  task "t" {
    command = "/bin/true"
    pool    = "db"
    pools   = { db = 1 }

    constraint {
      attribute = "name"
      operator  = "regexp"
      value     = "worker-(["
    }
    constraint {
      attribute = "version"
      operator  = "version"
      value     = "=> 1.2"
    }
    affinity {
      attribute = "label."
      value     = "x"
      weight    = 0
    }
    affinity {
      attribute = "zone"
      value     = "x"
      weight    = 101
    }
    spread {
      weight = -1
    }
  }
  task "u" {
    command      = "/bin/true"
    max_per_node = 0
    pools        = { db = 4, empty = "1" }
  }
  task "v" {
    command = "/bin/true"
    pools   = { db = 4 }
  }
  task "w" {
    command = "/bin/true"
    pools   = ["db"]
  }
}
