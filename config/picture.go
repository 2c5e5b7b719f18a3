package config

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/keepalivedd/keepalivedd/internal/glyph"
)

// Tell writes an error behind a program's name, for a terminal or whoever else reads it: each mistake of [Errors] with
// the line that it is about and a caret below the place, any other error as it is.
func Tell(w io.Writer, program string, err error) {
	var mistakes Errors
	if !errors.As(err, &mistakes) {
		fmt.Fprintf(w, "%s: %v\n", program, err)
		return
	}
	for _, e := range mistakes {
		fmt.Fprintf(w, "%s: %v\n%s", program, e, e.Picture(80))
	}
}

const indent = 4

// Picture is the line that the mistake is about, as much of it as a terminal of so many columns has room for, and a
// caret below the place; "" when the line is not known. Nothing in it is obeyed by a terminal.
func (e *Error) Picture(columns int) string {
	if e.Text == "" {
		return ""
	}
	line, caret := picture(e.Text, e.Column, columns-indent)
	return fmt.Sprintf("%*s%s\n%*s%s\n", indent, "", line, indent, "", caret)
}

// picture is a line of a file and a caret below its column, which counts bytes from 1, in so many cells of a terminal.
// Of a longer line it is the part around the column.
func picture(text string, column, room int) (line, caret string) {
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
		c := cell{string(r), glyph.Width(r)}
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
	room = max(room, 20)
	if mark >= room-1 {
		begin = mark - room/2
	}
	var b strings.Builder
	at = 0
	for _, c := range all {
		if at >= begin && at+c.width <= begin+room {
			b.WriteString(c.text)
		} else if at < begin && at+c.width > begin { // half of it
			b.WriteString(strings.Repeat(" ", at+c.width-begin))
		}
		at += c.width
	}
	return strings.TrimRight(b.String(), " "), strings.Repeat(" ", mark-begin) + "^"
}
