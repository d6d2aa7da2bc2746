// Command recorder is what test jobs run: recorder FILE [FOR [CODE]]. It appends
// its begin and its end to FILE, which must exist, stays alive for FOR in
// between, and exits with CODE.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/rota-scheduler/rota/test/cluster/record"
)

func main() {
	code, err := run(time.Now(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "recorder:", err)
		code = 99
	}
	os.Exit(code)
}

func run(began time.Time, args []string) (int, error) {
	var stay time.Duration
	var code int
	var err error
	if len(args) < 1 || len(args) > 3 {
		return 0, fmt.Errorf("want FILE [FOR [CODE]], got %q", args)
	}
	if len(args) > 1 {
		if stay, err = time.ParseDuration(args[1]); err != nil {
			return 0, err
		}
	}
	if len(args) > 2 {
		if code, err = strconv.Atoi(args[2]); err != nil {
			return 0, err
		}
	}
	f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return 0, err
	}
	r, err := record.Of(record.Begin, began)
	if err != nil {
		return 0, err
	}
	if err := r.Append(f); err != nil {
		return 0, err
	}
	<-time.After(stay)
	r.Event, r.At = record.End, time.Now()
	return code, r.Append(f)
}
