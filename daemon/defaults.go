package daemon

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/keepalivedd/keepalivedd/internal/stderr"
)

// errAsked is the cause of a life that ended because it was asked for.
var errAsked = errors.New("it was called off before it was ready")

// failure is the cause of a life that fail has ended. It tells an error of some context's, which fail was told, from
// the end of Run's own.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

func failing(end context.CancelCauseFunc) context.CancelCauseFunc {
	return func(err error) {
		if err != nil && err != errAsked {
			err = failure{err}
		}
		end(err)
	}
}

// causeOf returns what fail was told; nil when the end was asked for.
func causeOf(life context.Context) error {
	if f, is := context.Cause(life).(failure); is {
		return f.error
	}
	return nil
}

func (d *Daemon) log() *slog.Logger {
	if d.Log != nil {
		return d.Log
	}
	return slog.Default()
}

func (d *Daemon) name() string {
	if d.Name != "" {
		return d.Name
	}
	return filepath.Base(os.Args[0])
}

// pidfile is the path as it is told to others, of whom the working directory may be another; "": there is none.
func (d *Daemon) pidfile() string {
	if d.PIDFile == "" {
		return ""
	}
	path, err := filepath.Abs(d.PIDFile)
	if err != nil {
		return d.PIDFile
	}
	return path
}

func (d *Daemon) report(err error) {
	if d.Report != nil {
		d.Report(err)
		return
	}
	fmt.Fprintf(stderr.Writer{}, "%s: %s\n", d.name(), printable(err.Error()))
}

// printable is for a terminal: a daemon that has given up its privileges is not to have power over that of who asks it.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// surviveUnread is for a process that is about to exit, with a status that is to be had though nobody reads its
// standard error any more: to write there would be deadly, or last for ever. What it starts yet is only a copy of it,
// which takes PIPE anew.
func surviveUnread() {
	signal.Ignore(syscall.SIGPIPE)
	if log.Writer() == os.Stderr { // as slog's default has it too
		log.SetOutput(stderr.Writer{})
	}
}

// mindZone has it be UTC where TZ names what is no zone. The first look at the time of day would read it: a FIFO, which
// is waited for, or a terminal.
func mindZone() {
	zone := strings.TrimPrefix(os.Getenv("TZ"), ":")
	if strings.HasPrefix(zone, "/") {
		if st, err := os.Stat(zone); err != nil || st.Mode().IsRegular() {
			return
		}
	} else if !strings.Contains(zone, "..") { // a name, for the system's directories
		return
	}
	os.Setenv("TZ", "UTC")
}

func (d *Daemon) umask() int {
	if d.NoUmask {
		return 0
	}
	return orDefault(d.Umask, 0o022)
}

func (d *Daemon) grace() time.Duration { return orDefault(d.Grace, 10*time.Second) }

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
