package dev

import (
	"fmt"
	"io"
	"strings"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
)

// Sequences of the terminal.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H" // the other screen, no cursor, empty
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	beginUpdate = "\x1b[?2026h" // show nothing of the frame before it is whole
	endUpdate   = "\x1b[?2026l"
	eraseLine   = "\x1b[K"
	eraseBelow  = "\x1b[J"
)

// painter draws frames on a terminal: only the lines that changed, each frame in
// one write, so that nothing flickers.
type painter struct {
	out   io.Writer
	shown []string
	size  render.Screen
	// away: the terminal shows its other screen.
	away bool
}

// open moves to the terminal's other screen.
func (p *painter) open() error {
	p.away = true
	_, err := io.WriteString(p.out, enterScreen)
	return err
}

// close gives back the first screen. It may be called more than once.
func (p *painter) close() error {
	if !p.away {
		return nil
	}
	p.away = false
	_, err := io.WriteString(p.out, leaveScreen)
	return err
}

// draw shows the lines. A screen of another size is drawn anew.
func (p *painter) draw(lines []string, size render.Screen) error {
	if size != p.size {
		p.shown, p.size = nil, size
	}
	frame := p.frame(lines)
	if frame == "" {
		return nil
	}
	p.shown = lines
	_, err := io.WriteString(p.out, beginUpdate+frame+endUpdate)
	return err
}

// frame returns what turns the shown lines into the new ones; "" if nothing.
func (p *painter) frame(lines []string) string {
	var b strings.Builder
	for i, line := range lines {
		if p.shown == nil || i >= len(p.shown) || p.shown[i] != line {
			// Erased first: after a line that fills the width, the cursor still
			// stands on its last character.
			fmt.Fprintf(&b, "\x1b[%d;1H%s%s", i+1, eraseLine, line)
		}
	}
	if len(lines) < p.size.Height && (p.shown == nil || len(lines) < len(p.shown)) {
		fmt.Fprintf(&b, "\x1b[%d;1H%s", len(lines)+1, eraseBelow)
	}
	return b.String()
}
