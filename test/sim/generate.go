package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// generator makes a schedule of a seed.
type generator struct {
	*rand.Rand
	steps   []Step
	length  time.Duration
	jobs    []string
	version int
	leaders int
	crowded bool
}

// Generate makes a random schedule: a few jobs, faults that begin and end, and
// people who change things meanwhile. Equal seeds give equal schedules.
func Generate(seed uint64) Schedule {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
	g.length = time.Duration(15+g.IntN(25)) * time.Second
	if g.chance(8) {
		g.add(0, "nodes", "5")
	}
	for i := range 3 + g.IntN(3) {
		name := string(rune('a' + i))
		g.jobs = append(g.jobs, name)
		g.add(time.Duration(g.IntN(2000))*time.Millisecond, "apply", g.anyNode(), g.job(name))
	}
	g.machines()
	for range 2 + g.IntN(6) {
		g.fault(g.moment())
	}
	if g.chance(40) {
		g.hasty(g.moment())
	}
	for range 3 + g.IntN(10) {
		g.action(g.moment())
	}
	slices.SortStableFunc(g.steps, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
	return Schedule{Name: fmt.Sprintf("seed %d", seed), Steps: g.steps}
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

func (g *generator) add(at time.Duration, verb string, args ...string) {
	g.steps = append(g.steps, Step{at.Round(time.Millisecond), verb, strings.Fields(strings.Join(args, " "))})
}

// moment is an instant within the schedule, often close to a whole second, when
// most is due.
func (g *generator) moment() time.Duration {
	at := 2*time.Second + time.Duration(g.Int64N(int64(g.length-2*time.Second)))
	if g.chance(50) {
		at = at.Truncate(time.Second) + time.Duration(g.IntN(120)-60)*time.Millisecond
	}
	return at
}

// span is how long a fault lasts: mostly shorter than a lease, sometimes longer
// than work is waited for.
func (g *generator) span() time.Duration {
	most := pick(g, 300, 1500, 4500, 10000, 12000)
	return time.Duration(20+g.IntN(most)) * time.Millisecond
}

func (g *generator) anyNode() string { return fmt.Sprintf("n%d", 1+g.IntN(3)) }

// victim is a node, often the one that leads then.
func (g *generator) victim() string {
	if g.chance(40) {
		g.leaders++
		return fmt.Sprintf("L%d", g.leaders)
	}
	return g.anyNode()
}

// machines makes the network and the disks as slow as real ones, mostly.
func (g *generator) machines() {
	if g.chance(60) {
		g.add(0, "latency", pick(g, "500us", "3ms", "12ms"))
	}
	for i := range 3 {
		if g.chance(30) {
			g.add(0, "slow", fmt.Sprintf("n%d", i+1), pick(g, "1ms", "8ms", "40ms"))
		}
	}
}

// hasty has the leader fail in the instant in which it has, or has nearly, said
// yes to something.
func (g *generator) hasty(at time.Duration) {
	g.leaders++
	leader, job := fmt.Sprintf("L%d", g.leaders), pick(g, g.jobs...)
	switch g.IntN(4) {
	case 0:
		g.add(at, "pause", leader, job)
	case 1:
		g.add(at, "delete", leader, job)
	case 2:
		g.add(at, "run", leader, job)
	case 3:
		g.add(at, "apply", leader, g.job(job))
	}
	fail := at + time.Duration(g.IntN(80))*time.Millisecond
	end := fail + g.span()
	switch g.IntN(3) {
	case 0:
		g.add(fail, pick(g, "crash", "kill"), leader)
		g.add(end, "start", leader)
	case 1:
		g.add(fail, "isolate", leader)
		g.add(end, "rejoin", leader)
	case 2:
		g.add(fail, "freeze", leader)
		g.add(end, "thaw", leader)
	}
}

// action adds something that a person does.
func (g *generator) action(at time.Duration) {
	n, job := g.anyNode(), pick(g, g.jobs...)
	switch g.IntN(11) {
	case 0, 1:
		g.add(at, "apply", n, g.job(job))
	case 2, 3:
		g.add(at, "pause", n, job)
		g.add(at+g.span(), "resume", g.anyNode(), job)
	case 4, 5, 6:
		g.add(at, "run", n, job)
	case 7:
		g.add(at, "delete", n, job)
		if g.chance(60) {
			g.add(at+g.span(), "apply", g.anyNode(), g.job(job))
		}
	case 8:
		g.add(at, "cancel", n, job)
	case 9:
		g.add(at, "retry", n, job)
	case 10:
		g.add(at, "drain", n, g.anyNode())
		which := g.steps[len(g.steps)-1].Args[1]
		g.add(at+g.span(), "ready", g.anyNode(), which)
	}
}

// job writes a random job of that name; no two are equal.
func (g *generator) job(name string) string {
	g.version++
	words := []string{name, fmt.Sprintf("rev=%d", g.version)}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	every := pick(g, 1, 1, 1, 2, 3)
	switch {
	case g.chance(85):
		add("every=%ds", every)
		add("overlap=%s", pick(g, "allow", "forbid", "forbid", "forbid", "queue", "replace"))
		if g.chance(25) { // faults aim at whole seconds; leases lapse at any time
			add("jitter=1s")
		}
		add("misfire=%s", pick(g, "skip", "last", "all"))
		if g.chance(40) {
			add("deadline=%s", pick(g, "200ms", "1s", "3s"))
		}
	case g.chance(30) && name != "a":
		add("after=a")
	}
	add("work=%s", pick(g, "10ms", "50ms", "400ms", "900ms", "1100ms", "1800ms", "4s"))
	add("linger=%s", pick(g, "0s", "100ms", "900ms"))
	add("grace=1s")
	if g.chance(92) {
		add("stop_after=5s")
	}
	if g.chance(40) {
		add("delay=%s", pick(g, "3ms", "30ms", "300ms"))
	}
	if g.chance(30) {
		add("fail=%d tries=%d backoff=%s", pick(g, 10, 40), 1+g.IntN(3), pick(g, "100ms", "1s", "3s"))
	}
	if g.chance(8) {
		add("idempotent")
	}
	if g.chance(6) {
		add("loss=fail")
	}
	if g.chance(15) {
		add("graph=%d", 2+g.IntN(2))
	}
	if g.chance(15) {
		add("shards=%d", 2+g.IntN(3))
		if g.chance(50) {
			add("parallel=1")
		}
	}
	return strings.Join(words, " ")
}
