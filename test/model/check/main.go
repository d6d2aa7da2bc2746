// Command check runs the model of the firing protocol: one configuration, or all.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/test/model"
)

type options struct {
	config, off string
	seconds     int
	states      int
	fair        int
	seed        uint64
	walk        bool
	coverage    bool
}

func main() {
	var o options
	flag.StringVar(&o.config, "config", "*", "the configurations: a name, or a prefix and *; comma-separated")
	flag.StringVar(&o.off, "off", "", "rules to leave out, comma-separated")
	flag.IntVar(&o.seconds, "seconds", 10, "the most seconds for each configuration")
	flag.IntVar(&o.states, "states", 0, "the most states for each configuration; 0: no bound")
	flag.IntVar(&o.fair, "fair", 100, "try from every so manieth state whether all ends; 0: never")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the random schedules")
	flag.BoolVar(&o.walk, "walk", false, "random schedules instead of a search (all-* always are)")
	flag.BoolVar(&o.coverage, "coverage", false, "print how often each kind of step led to a new state")
	flag.Parse()
	broken, err := run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		os.Exit(2)
	}
	if broken {
		os.Exit(1)
	}
}

// run checks what the options choose, and says whether an invariant is broken.
func run(o options) (broken bool, err error) {
	off, err := rules(o.off)
	if err != nil {
		return false, err
	}
	found := false
	for _, c := range model.Configs() {
		if !chosen(o.config, c.Name) {
			continue
		}
		found = true
		c.Off = off
		r := check(o, &model.Model{Config: c})
		show(o, c.Name, r)
		broken = broken || r.Broken != ""
	}
	if !found {
		return false, fmt.Errorf("no configuration is named %q", o.config)
	}
	return broken, nil
}

func rules(names string) (off model.RuleSet, err error) {
	for name := range strings.SplitSeq(names, ",") {
		if name == "" {
			continue
		}
		r, err := model.ParseRule(name)
		if err != nil {
			return 0, err
		}
		off = off.Add(r)
	}
	return off, nil
}

func chosen(patterns, name string) bool {
	for p := range strings.SplitSeq(patterns, ",") {
		prefix, open := strings.CutSuffix(p, "*")
		if name == p || (open && strings.HasPrefix(name, prefix)) {
			return true
		}
	}
	return false
}

func check(o options, m *model.Model) model.Result {
	limits := model.Limits{
		States: o.states, FairEvery: o.fair, Deadline: time.Now().Add(time.Duration(o.seconds) * time.Second),
	}
	if o.walk || strings.HasPrefix(m.Name, "all-") {
		return m.Walk(limits, o.seed)
	}
	return m.Search(limits)
}

func show(o options, name string, r model.Result) {
	verdict := "bounded"
	switch {
	case r.Broken != "":
		verdict = "BROKEN: " + string(r.Broken)
	case r.Complete:
		verdict = "complete"
	}
	fmt.Printf("%-22s %9d states %10d steps %7d fair %6.1f s  %s\n", name, r.States, r.Steps, r.Fair, r.Taken.Seconds(), verdict)
	for _, line := range r.Trace {
		fmt.Println(line)
	}
	if o.coverage {
		fmt.Println(r.Coverage())
	}
}
