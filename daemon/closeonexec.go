//go:build linux

package daemon

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// closeOnExec keeps what our caller passed on from reaching children and the background copy. It stays open here:
// somebody may have meant it for us.
func closeOnExec() error {
	if unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	// Linux before 5.11.
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
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// spareDescriptors is what it takes to start or to take over: those of the pidfile, of the poller, of what is watched
// and read, a file at a time.
const spareDescriptors = 16

// spare returns what there is not enough of, before the Go runtime finds out, which ends the process then.
func spare() (err error) {
	fds := make([]int, 0, spareDescriptors)
	for len(fds) < spareDescriptors {
		var fd int
		if len(fds) == 0 {
			fd, err = unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
		} else {
			fd, err = unix.FcntlInt(uintptr(fds[0]), unix.F_DUPFD_CLOEXEC, 3)
		}
		if err != nil {
			err = fmt.Errorf("%d descriptors are needed, and %d left: %w", spareDescriptors, len(fds), err)
			break
		}
		fds = append(fds, fd)
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
	return err
}
