package supervise

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reap takes the children that have died. It looks before it takes: what this Set has not started is left to whoever
// did, unless it is PID 1's part to reap it.
func (l *loop) reap() {
	for {
		pid := zombie(unix.P_ALL, 0)
		switch {
		case pid == 0:
			return
		case l.byPID[pid] != nil || l.tasks[pid] != nil:
			l.take(pid)
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
	for pid := range l.byPID {
		if zombie(unix.P_PID, pid) != 0 {
			l.take(pid)
		}
	}
	for pid := range l.tasks {
		if zombie(unix.P_PID, pid) != 0 {
			l.take(pid)
		}
	}
}

// take reaps a zombie; before that it ends what is left of the group, whose number the zombie keeps from strangers.
func (l *loop) take(pid int) {
	unix.Kill(-pid, unix.SIGKILL)
	var ws syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(pid, &ws, 0, nil); err != syscall.EINTR {
			break
		}
	}
	t, p := l.tasks[pid], l.byPID[pid]
	if t != nil {
		l.buryTask(t, ws)
		return
	}
	delete(l.byPID, pid)
	p.pid = 0
	l.afterGroup(p, pid, ws, time.Millisecond)
}

// afterGroup buries p when the rest of its group, which was killed, has gone too: the next process may want its ports, and
// whoever stops us expects nothing to be left. It looks again after 1, 2, 4 … 64 ms; what is not reaped by then by whoever
// has inherited it is a zombie.
func (l *loop) afterGroup(p *program, pid int, ws syscall.WaitStatus, wait time.Duration) {
	if unix.Kill(-pid, 0) != nil || wait > 64*time.Millisecond {
		l.bury(p, pid, ws)
		return
	}
	l.alarms.in(wait, &p.more().grave, func() { l.afterGroup(p, pid, ws, 2*wait) })
}

// strays kills the children that are left when every program has ended: what had left its program's group is ours since
// its parent died. It reports whether there are any.
func (l *loop) strays() bool {
	if !l.Orphans || unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) != nil {
		return false // ECHILD
	}
	l.reap()
	files, _ := filepath.Glob("/proc/self/task/*/children")
	found := false
	for _, f := range files {
		b, _ := os.ReadFile(f)
		for _, word := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 1 {
				found = true
				if !l.killed[pid] {
					l.Log.Warn("a process had left its program's group: killed", "pid", pid)
					l.killed[pid] = true
				}
				unix.Kill(pid, unix.SIGKILL) // not reaped yet, so the number is its own
			}
		}
	}
	return found
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
