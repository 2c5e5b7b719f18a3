package daemon

import (
	"bytes"
	"os"
	"os/signal"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reapOrphans reaps, until the returned function is called, the children that PID 1 has not started. It looks at a
// zombie before it takes it: one that an os.Process refers to, by its pidfd, belongs to whoever will call Wait.
func reapOrphans() (end func()) {
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range died {
			reapThose(isOrphan)
		}
	}()
	return func() {
		signal.Stop(died)
		close(died)
		<-done
	}
}

// reapThose walks the zombies. waitid(2) shows the first only, so it stops at one that belongs to somebody: that one is
// reaped soon, and there is a SIGCHLD for each.
func reapThose(orphan func(pid int) bool) {
	for {
		// siginfo_t: signo, errno, code, then si_pid, aligned to 8 bytes on 64-bit machines.
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != nil {
			return
		}
		pid := int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), siginfoPID)))
		if pid == 0 || !orphan(pid) {
			return
		}
		unix.Wait4(pid, nil, unix.WNOHANG, nil)
	}
}

// siginfoPID is the offset of si_pid.
const siginfoPID = 8 + unsafe.Sizeof(uintptr(0))

func isOrphan(pid int) bool {
	fds, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		return false
	}
	ours := []byte("\nPid:\t" + strconv.Itoa(pid) + "\n")
	for _, fd := range fds {
		if b, err := os.ReadFile("/proc/self/fdinfo/" + fd.Name()); err == nil && bytes.Contains(b, ours) {
			return false
		}
	}
	return true
}
