//go:build linux

// Package wait looks at the ends of processes, and takes nothing from whoever is to reap them.
package wait

import (
	"errors"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Zombie returns the PID of a child that has ended and was not reaped, and leaves it so: the first in line of those
// that waitid(2) looks at for idType and id, as unix.P_ALL and 0. It is 0 where there is none; the error is that of
// waitid(2), unix.ECHILD where there are no such children.
func Zombie(idType, id int) (pid int, err error) {
	var info unix.Siginfo
	for {
		err := unix.Waitid(idType, id, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, err
		}
		return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), siginfoPID))), nil
	}
}

// Await waits for the end of a child, and leaves it unreaped; clean is that it has exited with status 0. The error is
// that of waitid(2), unix.ECHILD where it is no child.
func Await(pid int) (clean bool, err error) {
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		const exited, siginfoStatus = 1, siginfoPID + 8 // CLD_EXITED; after si_pid and si_uid
		return err == nil && info.Code == exited && *(*int32)(unsafe.Add(unsafe.Pointer(&info), siginfoStatus)) == 0, err
	}
}

// siginfoPID is the offset of si_pid in siginfo_t: three ints, then alignment to a pointer.
const siginfoPID = 8 + unsafe.Sizeof(uintptr(0))

// End waits until the process of a pidfd has ended, child or not, for at most limit, and reports whether it has. Zero
// looks only. What cannot be waited for, a descriptor that is not open say, has not ended, which is said at once. Any
// goroutine may call it.
func End(pidfd int, limit time.Duration) bool {
	if pidfd < 0 { // which poll(2) passes over
		return false
	}
	for end := time.Now().Add(limit); ; {
		left := max(0, time.Until(end))
		ms := int((left + time.Millisecond - 1) / time.Millisecond)
		p := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, ms)
		if n == 1 {
			return p[0].Revents&unix.POLLNVAL == 0
		}
		if left == 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return false
		}
	}
}
