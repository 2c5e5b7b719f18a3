//go:build !linux

package logging

import "golang.org/x/sys/unix"

// terminal is not asked for outside of Linux: a log there is one for a file.
func terminal(int) bool { return false }

func socket(kind int) (fd int, err error) {
	if fd, err = unix.Socket(unix.AF_UNIX, kind, 0); err == nil {
		unix.CloseOnExec(fd)
		err = unix.SetNonblock(fd, true)
	}
	return fd, err
}
