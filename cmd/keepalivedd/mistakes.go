package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
)

// mostMistakes are told at once: nobody mends more before the next look.
const mostMistakes = 20

// brief says the first mistakes, and how many more there are.
type brief struct{ all settings.Errors }

func (b brief) Unwrap() error { return b.all }

func (b brief) Error() string {
	first, more := b.first()
	return first.Error() + more
}

func (b brief) first() (first settings.Errors, more string) {
	if n := len(b.all) - mostMistakes; n > 0 {
		return b.all[:mostMistakes], fmt.Sprintf("\nand %d more", n)
	}
	return b.all, ""
}

// tell writes mistakes with the lines that they are about, for a terminal of so many columns.
func (b brief) tell(w io.Writer, columns int) {
	first, more := b.first()
	for _, e := range first {
		fmt.Fprintf(w, "%s: %v\n", name, e)
		if e.Text != "" {
			line, caret := picture(e.Text, e.Column, columns-indent)
			fmt.Fprintf(w, "%*s%s\n%*s%s\n", indent, "", line, indent, "", caret)
		}
	}
	if more != "" {
		fmt.Fprintf(w, "%s: %s\n", name, strings.TrimSpace(more))
	}
}

const indent = 4

// picture is a line of a file and a caret below its column, which counts bytes from 1, in so many cells of a terminal. Of a
// longer line it is the part around the column.
func picture(text string, column, cells int) (line, caret string) {
	type cell struct {
		text  string
		width int
	}
	var all []cell
	mark, at := 0, 0 // mark is where the caret stands, at where we are
	for i, r := range text {
		if i < column {
			mark = at
		}
		c := cell{string(r), width(r)}
		switch {
		case r == '\t':
			c.width = 8 - at%8
			c.text = strings.Repeat(" ", c.width)
		case r == utf8.RuneError || unicode.IsControl(r): // not for a terminal
			c = cell{"\uFFFD", 1}
		case unicode.Is(unicode.Cf, r): // nor what turns its direction
			c = cell{}
		}
		at += c.width
		all = append(all, c)
	}
	if column > len(text) {
		mark = at
	}
	begin := 0
	cells = max(cells, 20)
	if mark >= cells-1 {
		begin = mark - cells/2
	}
	var b strings.Builder
	at = 0
	for _, c := range all {
		if at >= begin && at+c.width <= begin+cells {
			b.WriteString(c.text)
		} else if at < begin && at+c.width > begin { // half of it
			b.WriteString(strings.Repeat(" ", at+c.width-begin))
		}
		at += c.width
	}
	return strings.TrimRight(b.String(), " "), strings.Repeat(" ", mark-begin) + "^"
}

// wide are the characters, from and to, that take two cells of a terminal: East Asian ones and pictures.
var wide = [...][2]rune{
	{0x1100, 0x115F}, {0x2E80, 0x303E}, {0x3041, 0x4DBF}, {0x4E00, 0xA4CF}, {0xA960, 0xA97F}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF},
	{0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD},
}

// width is the number of cells that a character takes.
func width(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	for _, w := range wide {
		if w[0] <= r && r <= w[1] {
			return 2
		}
	}
	return 1
}

// columns is the width of the terminal that is standard error.
func columns() int {
	if size, err := unix.IoctlGetWinsize(2, unix.TIOCGWINSZ); err == nil && size.Col > 0 {
		return int(size.Col)
	}
	return 80
}
