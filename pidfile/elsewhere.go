//go:build !linux

// Package pidfile lets at most one process hold a path, on Linux only. Elsewhere programs that use it build, and
// are told so by every call.
package pidfile

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"
)

var errNeedsLinux = fmt.Errorf("package pidfile needs Linux: %w", errors.ErrUnsupported)

// A File cannot be had.
type File struct{}

// A Process cannot be found.
type Process struct {
	PID int
}

func Running(string) (pid int, err error)         { return 0, errNeedsLinux }
func Acquire(string) (*File, error)               { return nil, errNeedsLinux }
func Lock(string) (*File, error)                  { return nil, errNeedsLinux }
func Adopt(string, [2]int, bool) (*File, error)   { return nil, errNeedsLinux }
func Look(string) (Status, error)                 { return Status{}, errNeedsLinux }
func Proven(string) (pid int)                     { return 0 }
func Find(string) (*Process, error)               { return nil, errNeedsLinux }
func (f *File) Write() error                      { return errNeedsLinux }
func (f *File) Path() string                      { return "" }
func (f *File) Stale() bool                       { return false }
func (f *File) Named() bool                       { return false }
func (f *File) Release() error                    { return errNeedsLinux }
func (f *File) Abandon()                          {}
func (f *File) Handover() ([2]int, func(), error) { return [2]int{}, nil, errNeedsLinux }
func (f *File) Watch(*slog.Logger) error          { return errNeedsLinux }
func (f *File) Suspend() ([2]int, error)          { return [2]int{-1, -1}, errNeedsLinux }
func (f *File) Resume(*slog.Logger) error         { return errNeedsLinux }
func (f *File) Unwatch()                          {}
func (f *File) EndWatch() int                     { return -1 }
func (p *Process) Signal(unix.Signal) error       { return errNeedsLinux }
func (p *Process) May(unix.Signal) error          { return errNeedsLinux }
func (p *Process) Wait(time.Duration) bool        { return false }
func (p *Process) Close() error                   { return errNeedsLinux }
