package render

import (
	"bufio"
	"io"
	"strings"
)

// Column is a column of a table.
type Column struct {
	Title string
	// Right aligns to the right, as numbers are.
	Right bool
	// Flexible columns are cut first where a terminal is too narrow.
	Flexible bool
	// Min keeps a column from being narrower than this, so that a table which is
	// drawn again and again stands still.
	Min int
}

// Cell is one field of a row.
type Cell struct {
	Text  string
	Style Style
}

// Table collects rows and writes them aligned.
type Table struct {
	Columns []Column
	rows    [][]Cell
}

const (
	gap = "  "
	// narrowest is what a cut column keeps.
	narrowest = 8
)

// Add appends a row with one cell for each column. The text is cleaned; an
// empty one is shown as "-", so that fields can be told apart in a pipe.
func (t *Table) Add(cells ...Cell) {
	row := make([]Cell, len(t.Columns))
	copy(row, cells)
	for i := range row {
		if row[i].Text = Clean(row[i].Text); strings.TrimSpace(row[i].Text) == "" {
			row[i] = Cell{"-", Dim}
		}
	}
	t.rows = append(t.rows, row)
}

// Text is a cell without a style.
func Text(s string) Cell { return Cell{Text: s} }

// State is a cell in the style of its state.
func State[S ~string](s S) Cell { return Cell{string(s), StateStyle(s)} }

// Write writes the header and the rows, in the width of the screen if that is a
// terminal.
func (t *Table) Write(w io.Writer, screen Screen) error {
	out := bufio.NewWriter(w)
	for _, line := range t.Lines(screen) {
		out.WriteString(line)
		out.WriteByte('\n')
	}
	return out.Flush()
}

// Lines returns what Write writes.
func (t *Table) Lines(screen Screen) []string {
	header := make([]Cell, len(t.Columns))
	for i, c := range t.Columns {
		header[i] = Cell{c.Title, Bold}
	}
	widths := t.widths(header)
	if screen.Terminal() {
		t.shrink(widths, screen.Width)
	}
	lines := make([]string, 0, len(t.rows)+1)
	lines = append(lines, t.line(header, widths, screen))
	for _, row := range t.rows {
		lines = append(lines, t.line(row, widths, screen))
	}
	return lines
}

func (t *Table) widths(header []Cell) []int {
	widths := make([]int, len(t.Columns))
	for i := range widths {
		widths[i] = max(Width(header[i].Text), t.Columns[i].Min)
		for _, row := range t.rows {
			widths[i] = max(widths[i], Width(row[i].Text))
		}
	}
	return widths
}

// shrink takes cells from the flexible columns, widest first, until the table
// fits or they are at their narrowest.
func (t *Table) shrink(widths []int, limit int) {
	total := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > limit; total-- {
		widest := -1
		for i, c := range t.Columns {
			if c.Flexible && widths[i] > narrowest && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// line lays out one row. Past the screen's edge cells are cut off, so that a row
// stays one line.
func (t *Table) line(row []Cell, widths []int, screen Screen) string {
	var b strings.Builder
	left := screen.Width
	for i, cell := range row {
		width := widths[i]
		if screen.Terminal() {
			if width = min(width, left); width <= 0 {
				break
			}
			left -= width + len(gap)
		}
		text := cell.Text
		if screen.Terminal() {
			text = Cut(text, width)
		}
		pad := strings.Repeat(" ", max(0, width-Width(text)))
		text = Paint(text, cell.Style, screen.Color)
		switch {
		case t.Columns[i].Right:
			text = pad + text
		case i < len(row)-1:
			text += pad
		}
		if i > 0 {
			b.WriteString(gap)
		}
		b.WriteString(text)
	}
	return strings.TrimRight(b.String(), " ")
}
