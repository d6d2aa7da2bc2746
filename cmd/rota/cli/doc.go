// Package cli is the command line of rota, one file for each command.
//
// Every command but agent, dev, validate, fmt and cron talks to one agent over
// HTTP; any agent of the cluster will do. The address comes from --addr, else
// from ROTA_ADDR, else it is http://127.0.0.1:7700. What a command found goes to
// stdout, as a table or with -o json as the API's own JSON; everything else,
// errors and progress, goes to stderr.
//
// # Exit codes
//
//	0  done
//	1  failed: the cluster said no, could not be reached, or a run failed
//	2  bad usage, or a bad job file; nothing was changed
//	3  plan: applying the files would change something
//
// A command changes something at most once. Where the connection broke under a
// change, the error says that its fate is unknown; reads that wait (run --wait,
// logs -f) go on by themselves.
package cli
