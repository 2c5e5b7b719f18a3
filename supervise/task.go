package supervise

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// task is a process beside the programs: a check, a gate, a hook.
type task struct {
	pid   int
	limit alarm
	ended func(ws syscall.WaitStatus) // nil: nobody wants to know any more
}

// begin starts a task; with a timeout, it is killed after that.
func (l *loop) begin(c command, timeout time.Duration, ended func(ws syscall.WaitStatus)) (*task, error) {
	pid, err := l.launcher.exec(c)
	if err != nil {
		return nil, err
	}
	t := &task{pid: pid, ended: ended}
	l.tasks[pid] = t
	if timeout > 0 {
		l.alarms.in(timeout, &t.limit, func() { t.signal(unix.SIGKILL) })
	}
	return t, nil
}

// signal goes to the group, whose leader has not been reaped.
func (t *task) signal(sig syscall.Signal) { unix.Kill(-t.pid, sig) }

// end ends a task that nobody wants to know of any more.
func (l *loop) end(t *task, sig syscall.Signal, patience time.Duration) {
	t.ended = nil
	t.signal(sig)
	l.alarms.in(patience, &t.limit, func() { t.signal(unix.SIGKILL) })
}

func (l *loop) buryTask(t *task, ws syscall.WaitStatus) {
	delete(l.tasks, t.pid)
	l.alarms.off(&t.limit)
	if t.ended != nil {
		t.ended(ws)
	}
}
