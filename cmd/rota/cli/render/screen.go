package render

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Screen is what is known of the place that text goes to.
type Screen struct {
	// Width and Height are in cells; 0 if it is no terminal.
	Width, Height int
	// Color says whether it takes colors.
	Color bool
}

// ScreenOf looks at w. It is a terminal only if w is a file that is one.
func ScreenOf(w io.Writer) Screen {
	f, ok := w.(*os.File)
	if !ok {
		return Screen{}
	}
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return Screen{}
	}
	plain := os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb"
	return Screen{Width: width, Height: height, Color: !plain}
}

// Terminal says whether the screen is one.
func (s Screen) Terminal() bool { return s.Width > 0 }
