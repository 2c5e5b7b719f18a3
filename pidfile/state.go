package pidfile

import (
	"errors"
	"fmt"
)

// A State is what [Look] found.
type State int

const (
	Free     State = iota // no file, nobody runs
	Stale                 // a file that its owner left behind
	Starting              // an owner that has not written its PID yet
	Held                  // an owner that runs
)

// Status is the answer of [Look].
type Status struct {
	State State
	PID   int // of the owner when Held; else 0

	suspended bool // it is being replaced, see File.Suspend
}

// ErrHeld is what every [*HeldError] is, for errors.Is.
var ErrHeld = errors.New("pidfile is held")

// HeldError says that a live process holds the pidfile.
type HeldError struct {
	Path string
	PID  int // of the owner; 0 while it is starting and has not written it yet
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("another instance is starting (pidfile %s)", e.Path)
	}
	return fmt.Sprintf("already running, pid %d (pidfile %s)", e.PID, e.Path)
}

// Is reports whether target is [ErrHeld].
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// ErrNotRunning says that nobody holds the pidfile, or that its owner has ended meanwhile.
var ErrNotRunning = errors.New("not running")
