package supervise

import (
	"errors"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// shortage reports whether a launch has failed for want of what the system has again some time. It tells nothing of
// what was to be launched, and is never final.
func shortage(err error) bool {
	return slices.ContainsFunc([]syscall.Errno{unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.ENOSPC},
		func(e syscall.Errno) bool { return errors.Is(err, e) })
}
