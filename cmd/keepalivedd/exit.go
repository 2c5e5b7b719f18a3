package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/internal/stderr"
	"github.com/keepalivedd/keepalivedd/pidfile"
	"github.com/keepalivedd/keepalivedd/supervise"
)

const name = "keepalivedd"

// Exit statuses: the LSB's where it has one for the case. 100, another instance runs, is daemon.ExitStatus's.
const (
	ok            = 0
	failure       = 1
	usage         = 2
	notPermitted  = 4
	misconfigured = 6
	notRunning    = 7
)

// Exit statuses of the verb status: the LSB's.
const (
	statusRunning = 0
	statusDead    = 1 // but its pidfile is left
	statusStopped = 3
	statusUnknown = 4   // or it cannot be asked, or is starting or stopping
	statusPartly  = 150 // it runs, but not every program that is wanted
)

// Exit statuses of up, down, restart and signal, beside the first ones.
const (
	programDown    = 3 // it is not what it should be, and has not failed either
	programUnknown = 4
)

// exitStatus returns the status for an error.
func exitStatus(err error) int {
	var mistakes settings.Errors
	var ended *supervise.EndedError
	var refused *daemon.RefusedError
	var unasked *daemon.UnaskedError
	switch {
	case errors.As(err, &unasked): // whatever kept it from being asked
		return failure
	case errors.As(err, &mistakes), errors.As(err, &refused):
		return misconfigured
	case errors.As(err, &ended):
		return ended.Status
	case errors.Is(err, pidfile.ErrNotRunning):
		return notRunning
	}
	return daemon.ExitStatus(err)
}

// fail tells the caller of an error, and returns its exit status; nil is none.
func fail(err error) int {
	if err == nil {
		return ok
	}
	var mistakes brief
	if errors.As(err, &mistakes) && onTerminal() {
		mistakes.tell(stderr.Writer{}, columns())
		return tellHint(err)
	}
	for line := range strings.Lines(err.Error()) {
		// The words of another of us, as in an upgrade's rehearsal, begin so.
		fmt.Fprintf(stderr.Writer{}, "%s: %s\n", name, strings.TrimPrefix(strings.TrimSuffix(line, "\n"), name+": "))
	}
	return tellHint(err)
}

func tellHint(err error) (status int) {
	if hint := hintFor(err); hint != "" {
		fmt.Fprintf(stderr.Writer{}, "hint: %s\n", hint)
	}
	return exitStatus(err)
}

// warn tells of what is right in a configuration, and may not be meant.
func warn(c *settings.Config) {
	for _, w := range c.Warnings {
		fmt.Fprintf(stderr.Writer{}, "%s: warning: %v\n", name, w)
	}
}

func hintFor(err error) string {
	var mistakes settings.Errors
	var unasked *daemon.UnaskedError
	var unreachable *control.UnreachableError
	switch {
	case errors.As(err, &mistakes) && errors.Is(err, fs.ErrNotExist) && len(mistakes) == 1 && mistakes[0].Line == 0:
		return "name another file with -f FILE"
	case errors.Is(err, pidfile.ErrHeld):
		return ""
	case !errors.Is(err, fs.ErrPermission) || os.Geteuid() == 0:
	case errors.As(err, &unasked), errors.Is(err, unix.EPERM): // it may not be signalled
		return "ask as root, or as the user that the daemon runs as"
	case errors.As(err, &unreachable): // a reading verb's
		return "ask as root, or as the user that the daemon runs as; [control] group lets others read"
	default:
		return "run it as root, or with a configuration and a pidfile (-p FILE) of your own"
	}
	return ""
}
