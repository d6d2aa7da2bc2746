// Command recorder is what test jobs run: recorder FILE [FOR [CODE [FAILS]]]. It
// appends its begin and its end to FILE, which must exist, stays alive for FOR in
// between, and exits with CODE; if FAILS is given, only in its first so many
// attempts. With ROTA_RECORD_ALIVE=1 it gives signs of life in between.
package main

import (
	"cmp"
	"fmt"
	"math"
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

// aliveEvery is about how long lies between two signs of life.
const aliveEvery = 100 * time.Millisecond

// order is what the arguments ask for.
type order struct {
	path        string
	stay        time.Duration
	code, fails int
}

func parse(args []string) (order, error) {
	o := order{fails: math.MaxInt}
	var errs [3]error
	switch len(args) {
	case 4:
		o.fails, errs[0] = strconv.Atoi(args[3])
		fallthrough
	case 3:
		o.code, errs[1] = strconv.Atoi(args[2])
		fallthrough
	case 2:
		o.stay, errs[2] = time.ParseDuration(args[1])
		fallthrough
	case 1:
		o.path = args[0]
		return o, cmp.Or(errs[0], errs[1], errs[2])
	}
	return o, fmt.Errorf("want FILE [FOR [CODE [FAILS]]], got %q", args)
}

func run(began time.Time, args []string) (int, error) {
	o, err := parse(args)
	if err != nil {
		return 0, err
	}
	f, err := os.OpenFile(o.path, os.O_WRONLY|os.O_APPEND, 0)
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
	if err := live(f, r, o.stay); err != nil {
		return 0, err
	}
	code := o.code
	if r.Attempt > o.fails {
		code = 0
	}
	r.Event, r.At = record.End, time.Now()
	return code, r.Append(f)
}

// live returns after stay.
func live(f *os.File, r record.Record, stay time.Duration) error {
	r.Event = record.Alive
	step := stay
	if os.Getenv(record.AliveVariable) == "1" {
		step = aliveEvery
	}
	for left := stay; left > 0; left -= step {
		<-time.After(min(left, step))
		if left <= step {
			return nil
		}
		r.At = time.Now()
		if err := r.Append(f); err != nil {
			return err
		}
	}
	return nil
}
