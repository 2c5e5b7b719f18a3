package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// mostOften is how long a picture stays at least, however much changes.
const mostOften = 100 * time.Millisecond

// watchStatus shows how the daemon is, again at each change and each second, until q is pressed. Nothing of the
// terminal is changed but that it gives each key at once and shows none,
// and that is undone whatever ends the watching, but for KILL.
func (o *options) watchStatus(path string) int {
	if !isTerminal(1) {
		return misuse("--watch: standard output is not a terminal")
	}
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, unix.SIGWINCH)
	restore, err := keys()
	if err != nil {
		return o.failed(err)
	}
	defer restore()
	quit := make(chan struct{})
	if isTerminal(0) {
		go awaitQ(os.Stdin, quit)
	}
	defer os.Stdout.WriteString("\n")
	paint := painter(colours())
	second := time.NewTicker(time.Second)
	defer second.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	changed := newBell()
	go o.heedChanges(ctx, path, changed)
	var now, before *sight
	for begin := "\x1b[H\x1b[2J"; ; begin = "\x1b[H" { // on an empty screen, and then over what is there
		before, now = now, look(path, o.names)
		if now.err != nil {
			now.said = plain(now.err.Error())
		}
		if _, err := os.Stdout.WriteString(begin + frame(now.lines(o.names, before, paint))); err != nil {
			return o.failed(err)
		}
		shown := time.After(mostOften)
		for heeds, rested := changed, (<-chan time.Time)(nil); ; {
			select {
			case <-heeds:
				heeds, rested = nil, shown
				continue
			case <-rested:
			case <-second.C:
			case <-resized:
			case <-quit:
				return now.status
			case s := <-ending:
				return 128 + int(s.(syscall.Signal))
			}
			break
		}
	}
}

// heedChanges tells of each change, until ctx ends. Where they cannot be heard of,
// there is a picture each second all the same.
func (o *options) heedChanges(ctx context.Context, path string, changed bell) {
	for ctx.Err() == nil {
		if st, err := pidfile.Look(path); err == nil && st.State == pidfile.Held {
			control.Follow(ctx, control.Path(path), st.PID, "events", statusParams{o.names}, func(json.RawMessage, int) error {
				changed.ring()
				return nil
			})
		}
		select {
		case <-time.After(time.Second): // it has stopped, or another program has taken its place
		case <-ctx.Done():
		}
	}
}

// frame is what fits onto the terminal of the lines, in the place of what is there.
func frame(lines []string) string {
	rows, cols := 24, pageWidth
	if size, err := unix.IoctlGetWinsize(1, unix.TIOCGWINSZ); err == nil && size.Row > 1 && size.Col > 1 {
		rows, cols = int(size.Row), int(size.Col)
	}
	if len(lines) > rows-1 {
		lines = append(lines[:rows-2:rows-2], "… and more; name some: keepalivedd status -w NAME")
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(cut(line, cols) + "\x1b[K\n")
	}
	return b.String() + "\x1b[J"
}

// awaitQ closes quit when q is pressed.
func awaitQ(from io.Reader, quit chan<- struct{}) {
	key := make([]byte, 1)
	for {
		if n, err := from.Read(key); err != nil || n == 0 {
			return
		}
		if key[0] == 'q' {
			close(quit)
			return
		}
	}
}

// keys has the terminal give each key at once. There is no stopping by a key: nobody would put the terminal right then.
func keys() (restore func(), err error) {
	was, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if errors.Is(err, unix.ENOTTY) {
		return func() {}, nil // keys come from elsewhere, and are not for us
	}
	if err != nil {
		return nil, err
	}
	now := *was
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	now.Cc[unix.VSUSP] = 0
	if err := unix.IoctlSetTermios(0, unix.TCSETS, &now); err != nil {
		return nil, err
	}
	return func() { unix.IoctlSetTermios(0, unix.TCSETS, was) }, nil
}
