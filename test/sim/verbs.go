package sim

import (
	"fmt"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// verbs are the steps that a schedule may hold. A step that fits no longer, such
// as a start of a node that is up, does nothing: a schedule from which steps were
// taken is still one.
//
// A node is named n1, n2, …, or L1, L2, …: whoever leads when that name is first
// used, from then on.
var verbs = map[string]func(p *player, args []string) error{
	"nodes": func(*player, []string) error { return nil }, // read before the start

	"crash": onNode(func(p *player, n *Node, _ []string) error { n.Crash(); return nil }),
	"kill":  onNode(func(p *player, n *Node, _ []string) error { n.Kill(); return nil }),
	"stop":  onNode(func(p *player, n *Node, _ []string) error { return p.stop(n) }),
	"power": onHost(func(p *player, n *Node, args []string) error {
		if n.off {
			return nil
		}
		return withDuration(args, 0, n.LosePower)
	}),
	"boot":   onHost(func(p *player, n *Node, _ []string) error { n.Boot(); return nil }),
	"start":  startNode,
	"halt":   onHost(func(p *player, n *Node, _ []string) error { n.super.Freeze(); return nil }),
	"go-on":  onHost(func(p *player, n *Node, _ []string) error { n.super.Thaw(); return nil }),
	"freeze": onNode(func(p *player, n *Node, _ []string) error { n.Freeze(); return nil }),
	"thaw":   onNode(func(p *player, n *Node, _ []string) error { n.Thaw(); return nil }),
	"hang":   onHost(func(p *player, n *Node, _ []string) error { n.hung.Shut(); return nil }),
	"unhang": onHost(func(p *player, n *Node, _ []string) error { n.hung.Open(); return nil }),
	"slow": onHost(func(p *player, n *Node, args []string) error {
		return withDuration(args, 0, func(d time.Duration) { n.slow.Store(int64(d)) })
	}),
	"clock": onHost(func(p *player, n *Node, args []string) error {
		return withDuration(args, 0, n.StepClock)
	}),

	"isolate": onHost(func(p *player, n *Node, _ []string) error { p.c.isolate(n); return nil }),
	"rejoin": onHost(func(p *player, n *Node, _ []string) error {
		for _, other := range p.c.nodes {
			p.c.Net.Mend(n.IP, other.IP)
		}
		return nil
	}),
	"cut":  onLink(func(p *player, a, b *Node, _ []string) error { p.c.Net.Cut(a.IP, b.IP); return nil }),
	"deaf": onLink(func(p *player, a, b *Node, _ []string) error { p.c.Net.CutOneWay(a.IP, b.IP); return nil }),
	"mend": onLink(func(p *player, a, b *Node, _ []string) error { p.c.Net.Mend(a.IP, b.IP); return nil }),
	"delay": onLink(func(p *player, a, b *Node, args []string) error {
		return withDuration(args, 0, func(d time.Duration) { p.c.Net.Delay(a.IP, b.IP, d) })
	}),
	"latency": func(p *player, args []string) error {
		return withDuration(args, 0, p.c.Net.Latency)
	},

	"apply": func(p *player, args []string) error {
		if len(args) < 2 {
			return fmt.Errorf("%w: apply: want a node and a job", ErrMalformed)
		}
		spec, err := jobOf(args[1:])
		if err != nil {
			return err
		}
		p.specs[spec.Description] = spec
		return p.via(args, func(node, _ string) { p.clients.apply(node, spec) })
	},
	"pause":  func(p *player, args []string) error { return p.via(args, p.clients.pause) },
	"resume": func(p *player, args []string) error { return p.via(args, p.clients.resume) },
	"delete": func(p *player, args []string) error { return p.via(args, p.clients.delete) },
	"run":    func(p *player, args []string) error { return p.via(args, p.clients.run) },
	"cancel": func(p *player, args []string) error {
		return p.via(args, func(node, job string) {
			if r := p.newest(job, func(r *fsm.Run) bool { return !r.State.Ended() }); r != nil {
				p.clients.onRun("cancel", node, r.ID)
			}
		})
	},
	"retry": func(p *player, args []string) error {
		return p.via(args, func(node, job string) {
			if r := p.newest(job, func(r *fsm.Run) bool { return r.State.Ended() && r.State != fsm.RunSucceeded }); r != nil {
				p.clients.onRun("retry", node, r.ID)
			}
		})
	},
	"drain": func(p *player, args []string) error {
		return p.via(args, func(node, which string) { p.clients.setStatus(node, which, fsm.NodeDraining) })
	},
	"ready": func(p *player, args []string) error {
		return p.via(args, func(node, which string) { p.clients.setStatus(node, which, fsm.NodeReady) })
	},
	"transfer": func(p *player, args []string) error {
		return p.via(append(args, ""), func(node, _ string) { p.clients.transfer(node) })
	},
}

// onNode makes a verb of what is done to an agent that is up.
func onNode(do func(p *player, n *Node, args []string) error) func(p *player, args []string) error {
	return onHost(func(p *player, n *Node, args []string) error {
		if !n.Up() {
			return nil
		}
		return do(p, n, args)
	})
}

// onHost makes a verb of what is done to a node, with or without an agent.
func onHost(do func(p *player, n *Node, args []string) error) func(p *player, args []string) error {
	return func(p *player, args []string) error {
		n, err := p.node(args, 0)
		if err != nil || n == nil {
			return err
		}
		return do(p, n, args[1:])
	}
}

func onLink(do func(p *player, a, b *Node, args []string) error) func(p *player, args []string) error {
	return func(p *player, args []string) error {
		a, err := p.node(args, 0)
		if err != nil || a == nil {
			return err
		}
		b, err := p.node(args, 1)
		if err != nil || b == nil || a == b {
			return err
		}
		return do(p, a, b, args[2:])
	}
}

// stop stops an agent as SIGTERM does. What it could not hand over, because of
// other faults, is no failure.
func (p *player) stop(n *Node) error {
	n.super.Thaw() // which takes the signal, once it can
	if err := n.shutdown(); err != nil {
		p.c.Trace.Note(n.Name, "the stop was not complete: %v", err)
	}
	return nil
}

func startNode(p *player, args []string) error {
	n, err := p.node(args, 0)
	if err != nil || n == nil || n.Up() {
		return err
	}
	// A start waits for the disk and the supervisor, and the schedule for the start.
	n.hung.Open()
	n.super.Thaw()
	n.Start()
	return nil
}

func withDuration(args []string, i int, do func(time.Duration)) error {
	if len(args) <= i {
		return fmt.Errorf("%w: a duration is missing", ErrMalformed)
	}
	d, err := time.ParseDuration(args[i])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	do(d)
	return nil
}
