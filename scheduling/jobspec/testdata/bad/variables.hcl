variable "no_value" {}
variable "no_value_either" { type = list(string) }
variable "wrong_default" {
  type    = number
  default = "many"
}
variable "unknown_type" {
  type    = text
  default = "x"
}
variable "unknown_list" { type = list }
variable "refers" { default = var.no_value }
variable "refers_local" { default = local.a }
variable "unknown_attribute" {
  default = 1
  deflaut = 2
}
variable "no_value" { default = "twice" }
variable "bad name" { default = 1 }
variable "small" {
  default = 12
  validation {
    condition     = var.small < 10
    error_message = "it is from 0 to 9"
  }
  validation {
    condition     = "yes"
    error_message = "unreachable"
  }
  validation {
    condition = true
  }
}
variable "fine" { default = 1 }
variable "other" {
  default = 1
  validation {
    condition     = var.other > var.fine
    error_message = "unreachable"
  }
}
variable {}
variable "elements" {
  type    = list(number)
  default = [1, "two"]
}
locals {
  a = var.fine
}

job "a" {
  description = var.no_value
  labels      = { a = var.fin, b = var["nothing"], c = var.fine.x, d = var }
  task "t" {
    command = "/bin/true"
    args    = [var.small, var.elements[0]]
    weight  = var.wrong_default
    timeout = var.fine
    dir     = vars.fine
  }
}
