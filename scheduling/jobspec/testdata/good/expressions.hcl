job "expressions" {
  description = "2 + 2 = ${2 + 2}, ${true ? "yes" : "no"}, %{if 1 < 2}less%{else}more%{endif}"
  labels      = null
  task "a" {
    command      = "/bin/${"true"}"
    args         = [(1 + 2) * 3, -4, 7 % 4, 1 / 4, !false, "é\u00e9", 1e3]
    output_limit = 10 * 1024 * 1024
    weight       = 2 + 2
    timeout      = null
    env          = { ("KEY_${1}") = "v", "b" : "w" }
    depends_on   = []
  }
}
