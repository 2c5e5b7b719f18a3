//go:build linux

package logging

import "golang.org/x/sys/unix"

func socket(kind int) (fd int, err error) {
	return unix.Socket(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
}
