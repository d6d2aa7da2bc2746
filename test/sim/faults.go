package sim

import (
	"fmt"
	"time"
)

// fault adds one fault and its end. Those that are drawn often are listed more than
// once.
func (g *generator) fault(at time.Duration) {
	pick(g,
		g.crash, g.crash, g.kill, g.stop, g.freeze, g.freeze, g.power, g.halt, g.apart,
		g.cutOff, g.cutOff, g.aimed, g.aimed, g.aimed, g.distant, g.distant,
		g.link, g.flap, g.disk, g.clock, g.lead,
	)(at)
}

func (g *generator) ms(low, high int) string { return fmt.Sprintf("%dms", low+g.IntN(high-low)) }

// away takes a node out of play, and brings it back.
func (g *generator) away(at time.Duration, gone, back string) {
	v := g.victim()
	g.add(at, gone, v)
	g.add(at+g.span(), back, v)
}

func (g *generator) crash(at time.Duration) { g.away(at, "crash", "start") }

func (g *generator) kill(at time.Duration) { g.away(at, "kill", "start") }

func (g *generator) stop(at time.Duration) { g.away(at, "stop", "start") }

// freeze stops an agent, which may die in the ice.
func (g *generator) freeze(at time.Duration) {
	v, end := g.victim(), at+g.span()
	g.add(at, "freeze", v)
	if g.chance(20) {
		g.add(end, "crash", v)
		g.add(end+g.span(), "start", v)
		return
	}
	g.add(end, "thaw", v)
}

// power ends a machine, with what it has not synced, and starts it again: at once
// with its agent, or some time before it.
func (g *generator) power(at time.Duration) { g.powerOf(g.victim(), at) }

func (g *generator) powerOf(v string, at time.Duration) {
	end := at + g.span()
	g.add(at, "power", v, pick(g, "0s", "500ms", "4s", "1h"))
	if g.chance(50) {
		g.add(end, "boot", v)
		end += time.Duration(g.IntN(1500)) * time.Millisecond
	}
	g.add(end, "start", v)
}

// halt freezes a supervisor alone.
func (g *generator) halt(at time.Duration) { g.away(at, "halt", "go-on") }

// apart freezes a supervisor and its agent, each for a time of its own; the agent
// may die meanwhile.
func (g *generator) apart(at time.Duration) {
	v := g.victim()
	g.add(at, "halt", v)
	g.add(at+g.span(), "go-on", v)
	other := at + time.Duration(g.IntN(2000)-1000)*time.Millisecond
	g.add(other, "freeze", v)
	g.add(other+g.span(), pick(g, "thaw", "thaw", "crash"), v)
	g.add(other+g.span(), "start", v)
}

// cutOff isolates a node, which may die where nobody sees it.
func (g *generator) cutOff(at time.Duration) {
	v, end := g.victim(), at+g.span()
	g.add(at, "isolate", v)
	if g.chance(30) {
		mid := at + (end-at)/2
		g.add(mid, pick(g, "crash", "kill"), v)
		g.add(mid+g.span(), "start", v)
	}
	g.add(end, "rejoin", v)
}

// aimed takes a node away in the instant of a fire: what is due may have started,
// and nobody was told. It stays away for longer than the others wait.
func (g *generator) aimed(at time.Duration) {
	v := g.anyNode()
	at = at.Truncate(time.Second) + time.Duration(g.IntN(16)-4)*time.Millisecond
	away := time.Duration(4000+g.IntN(8000)) * time.Millisecond
	switch g.IntN(5) {
	case 0:
		g.powerOf(v, at)
	case 1:
		g.add(at, "freeze", v)
		g.add(at+away, "thaw", v)
	default:
		g.add(at, "isolate", v)
		g.add(at+away, "rejoin", v)
	}
}

// distant makes what the leader sends to a node slow, in that direction alone, and
// from time to time loses what the node sends: then the last answers that it gets
// were long under way. A node that dates its lease by their arrival starts what the
// leader has moved.
func (g *generator) distant(at time.Duration) {
	g.leaders++
	leader, v := fmt.Sprintf("L%d", g.leaders), g.anyNode()
	g.crowd()
	g.add(at, "delay", leader, v, g.ms(850, 985))
	for range 3 {
		at += time.Duration(1500+g.IntN(1500)) * time.Millisecond
		g.add(at, "deaf", v, leader)
		at += time.Duration(4200+g.IntN(800)) * time.Millisecond
		g.add(at, "mend", v, leader)
	}
	g.add(at, "delay", leader, v, "0s")
}

// crowd adds jobs to which nobody does anything, so that something is due at every
// time of a second, and the log never rests.
func (g *generator) crowd() {
	if g.crowded {
		return
	}
	g.crowded = true
	for i := range 8 {
		g.add(0, "apply", g.anyNode(), fmt.Sprintf("x%d every=1s overlap=allow jitter=1s misfire=skip work=10ms stop_after=5s grace=1s", i))
	}
}

func (g *generator) link(at time.Duration) {
	v, w := g.victim(), g.anyNode()
	g.add(at, pick(g, "deaf", "cut"), v, w)
	g.add(at+g.span(), "mend", v, w)
}

func (g *generator) flap(at time.Duration) {
	v, w := g.victim(), g.anyNode()
	for range 3 + g.IntN(4) {
		g.add(at, pick(g, "deaf", "cut"), v, w)
		at += time.Duration(50+g.IntN(700)) * time.Millisecond
		g.add(at, "mend", v, w)
		at += time.Duration(50+g.IntN(700)) * time.Millisecond
	}
}

// disk has one hang, and perhaps be slow after that.
func (g *generator) disk(at time.Duration) {
	v, end := g.victim(), at+g.span()
	g.add(at, "hang", v)
	g.add(end, "unhang", v)
	if g.chance(50) {
		g.add(end, "slow", v, g.ms(5, 150))
		g.add(end+g.span(), "slow", v, "0s")
	}
}

func (g *generator) clock(at time.Duration) {
	g.add(at, "clock", g.victim(), fmt.Sprintf("%dms", pick(g, 40, 300, 2000, 3600_000)*(1-2*g.IntN(2))))
}

// lead changes the leader, or makes a link slow.
func (g *generator) lead(at time.Duration) {
	v, w := g.victim(), g.anyNode()
	if g.chance(50) {
		g.add(at, "transfer", w)
		return
	}
	g.add(at, "delay", v, w, pick(g, g.ms(2, 45), g.ms(100, 900)))
	g.add(at+g.span(), "delay", v, w, "0s")
}
