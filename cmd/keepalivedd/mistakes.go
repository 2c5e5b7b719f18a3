package main

import (
	"fmt"
	"io"
	"strings"

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
		fmt.Fprintf(w, "%s: %v\n%s", name, e, e.Picture(columns))
	}
	if more != "" {
		fmt.Fprintf(w, "%s: %s\n", name, strings.TrimSpace(more))
	}
}

// columns is the width of the terminal that is standard error.
func columns() int {
	if size, err := unix.IoctlGetWinsize(2, unix.TIOCGWINSZ); err == nil && size.Col > 0 {
		return int(size.Col)
	}
	return 80
}
