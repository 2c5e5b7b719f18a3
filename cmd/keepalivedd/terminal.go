package main

import (
	"fmt"
	"hash/fnv"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/glyph"
)

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// onTerminal is for standard error, which the caller of a start sees.
func onTerminal() bool { return isTerminal(2) }

// colours tells whether standard output may be coloured.
func colours() bool {
	return isTerminal(1) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// painter colours, or does not.
type painter bool

// state is the state of a program, on at least so many cells.
func (p painter) state(s string, least int) string {
	padded := fmt.Sprintf("%-*s", least, plain(s))
	colour := map[string]string{"up": "32", "failed": "31", "backoff": "31", "blocked": "33", "starting": "33",
		"stopping": "33", "down": "33"}[s]
	if !p || colour == "" {
		return padded
	}
	return "\x1b[" + colour + "m" + padded + "\x1b[0m"
}

// as is text in a colour, by the number of that.
func (p painter) as(colour, text string) string {
	if !p {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// nameColour is the colour of a name, the same each time.
func nameColour(name string) string {
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprint(31 + h.Sum32()%6)
}

// cut is a line as far as it fits; what colours it takes no place.
func cut(line string, room int) string {
	for i := 0; i < len(line); {
		if strings.HasPrefix(line[i:], "\x1b[") {
			i += strings.IndexByte(line[i:], 'm') + 1
			continue
		}
		r, n := utf8.DecodeRuneInString(line[i:])
		if room -= glyph.Width(r); room < 0 {
			if strings.Contains(line[i:], "\x1b[0m") {
				return line[:i] + "\x1b[0m"
			}
			return line[:i]
		}
		i += n
	}
	return line
}

// cells is the number of them that s takes.
func cells(s string) (n int) {
	for _, r := range s {
		n += glyph.Width(r)
	}
	return n
}
