package daemon

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Go opens everything close-on-exec, and what was close-on-exec did not reach us: a descriptor above 2 without it was
// inherited from the caller.

// closeOnExec keeps what the caller passed on from reaching children, and leaves it open: somebody may have meant it
// for us.
func closeOnExec() error {
	if unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	return eachInherited(unix.CloseOnExec) // Linux before 5.11
}

// closeInherited closes what the caller passed on: a pipe of its, held open, would let it wait for ever.
func closeInherited() error {
	return eachInherited(func(fd int) { unix.Close(fd) })
}

func eachInherited(f func(fd int)) error {
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list the inherited descriptors: %w", err)
	}
	for _, e := range dir {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd < 3 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			f(fd)
		}
	}
	return nil
}
