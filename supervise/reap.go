package supervise

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reap takes the children that have died. It looks before it takes: what this Set has not started is left to whoever
// did, unless it is PID 1's part to reap it.
func (l *loop) reap() {
	for {
		pid := zombie(unix.P_ALL, 0)
		p := l.byPID[pid]
		switch {
		case pid == 0:
			return
		case p != nil:
			l.take(p)
		case l.Orphans:
			syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		default:
			// waitid(2) shows the first in line only, and that one is a stranger's. Ours are asked one by one.
			l.reapEach()
			return
		}
	}
}

func (l *loop) reapEach() {
	for pid, p := range l.byPID {
		if zombie(unix.P_PID, pid) != 0 {
			l.take(p)
		}
	}
}

// take reaps a zombie; before that it ends what is left of the group, whose number the zombie keeps from strangers.
func (l *loop) take(p *program) {
	unix.Kill(-p.pid, unix.SIGKILL)
	var ws syscall.WaitStatus
	for {
		_, err := syscall.Wait4(p.pid, &ws, 0, nil)
		if err != syscall.EINTR {
			break
		}
	}
	l.bury(p, ws)
}

// zombie returns the PID of a child that has died and was not waited for, and leaves it so; 0: there is none.
func zombie(kind, id int) int {
	var info unix.Siginfo
	for {
		switch err := unix.Waitid(kind, id, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err {
		case nil:
			return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), siginfoPID)))
		case unix.EINTR:
		default:
			return 0
		}
	}
}

// siginfoPID is the offset of si_pid in siginfo_t: three ints, then alignment to a pointer.
const siginfoPID = 8 + unsafe.Sizeof(uintptr(0))
