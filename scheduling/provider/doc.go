// Package provider adds and removes machines for the autoscaler: by a command, or
// by a request to a URL.
//
// # What it promises
//
// Each call names its request, and a repeat of it, also by another leader, has the
// same name: the other side must not act on a name twice. A call ends within the
// time of its context; what a command has started is killed then. Of what the other
// side says at most some kilobytes are read, and the end of that is in the error.
//
// # What happens when things fail
//
// An error means that nobody knows what became of the request. The autoscaler asks
// again with the same name, a bounded number of times, and keeps the last error
// where people see it.
package provider
