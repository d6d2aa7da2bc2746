package dev

import (
	"fmt"
	"io"
	"time"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
)

// display shows news. Its methods are called by the loop alone; an error ends
// the command.
type display interface {
	run(now time.Time, row *runRow) error
	fire(now time.Time, fire *fsm.Fire) error
	notice(n notice) error
	// frame is called a few times a second.
	frame(m *model, now time.Time) error
	close() error
}

func newDisplay(out io.Writer) (display, error) {
	screen := render.ScreenOf(out)
	if !screen.Terminal() {
		return &plain{out: out}, nil
	}
	l := &live{out: out, painter: painter{out: out}}
	return l, l.painter.open()
}

// plain prints a line for each change.
type plain struct{ out io.Writer }

func (p *plain) print(line string) error {
	_, err := fmt.Fprintln(p.out, line)
	return err
}

// run leaves pending runs out: they stand there some seconds before they are due.
func (p *plain) run(now time.Time, row *runRow) error {
	if row.run.State == fsm.RunPending {
		return nil
	}
	return p.print(runLine(now, row))
}

func (p *plain) fire(now time.Time, fire *fsm.Fire) error { return p.print(fireLine(now, fire)) }

func (p *plain) notice(n notice) error {
	return p.print(n.at.Format("15:04:05.000") + "  # " + render.Clean(n.text))
}

func (p *plain) frame(*model, time.Time) error { return nil }

func (p *plain) close() error { return nil }

// live repaints the whole picture.
type live struct {
	out     io.Writer
	painter painter
}

func (l *live) run(time.Time, *runRow) error { return nil }

func (l *live) fire(time.Time, *fsm.Fire) error { return nil }

func (l *live) notice(notice) error { return nil }

func (l *live) frame(m *model, now time.Time) error {
	screen := render.ScreenOf(l.out)
	if !screen.Terminal() {
		return nil // it is being closed
	}
	return l.painter.draw(m.view(now, screen), screen)
}

func (l *live) close() error { return l.painter.close() }
