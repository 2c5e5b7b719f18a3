//go:build linux

package logging

import "golang.org/x/sys/unix"

// socket makes one that waits by the poller and is no child's.
func socket(kind int) (fd int, err error) {
	return unix.Socket(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
}
