//go:build linux

package logging

import "golang.org/x/sys/unix"

func terminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}
