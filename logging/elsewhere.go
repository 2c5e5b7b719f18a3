//go:build !linux

package logging

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// terminal is not asked for outside of Linux: a log there is one for a file.
func terminal(int) bool { return false }

// socket makes one that waits by the poller and is no child's, in three steps that no fork comes between.
func socket(kind int) (fd int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if fd, err = unix.Socket(unix.AF_UNIX, kind, 0); err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	return fd, unix.SetNonblock(fd, true)
}
