package supervise

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// task is a process beside the programs: a check, a gate, a hook.
type task struct {
	pid    int // 0: it is not known yet
	limit  alarm
	ended  func(ws syscall.WaitStatus) // nil: nobody wants to know any more
	ending syscall.Signal              // it was told to end before it was known; 0: it was not
	grace  time.Duration               // from then to KILL
	search *search                     // for what it needs; nil: it has that
	brief  bool                        // it is a check or a hook: nobody waits for its exec, and its time is bounded
	gone   func()                      // called when there is no process of it any more, or never was one; may be nil
}

func (t *task) leaves() {
	if t.gone != nil {
		t.gone()
	}
}

// startTask has a task started; with a timeout, it is killed after that. One that cannot be started has failed.
func (l *loop) startTask(c command, timeout time.Duration, ended func(ws syscall.WaitStatus),
	failed func(error)) *task {
	x := &launch{command: c, close: func() {}}
	return l.launchTask(x, timeout, ended, failed)
}

func (l *loop) launchTask(x *launch, timeout time.Duration, ended func(ws syscall.WaitStatus),
	failed func(error)) *task {
	t := &task{ended: ended, brief: timeout > 0}
	x.task = t
	x.then = func(pid int, err error) {
		switch {
		case err != nil:
			if t.ended != nil {
				failed(err)
			}
			t.leaves()
		default:
			t.pid = pid
			l.tasks[pid] = t
			if t.ending != 0 {
				l.endTask(t, t.ending, t.grace)
			} else if timeout > 0 {
				l.alarms.in(timeout, &t.limit, func() { l.signalGroup(t.pid, unix.SIGKILL) })
			}
			if l.hurried {
				l.signalGroup(t.pid, unix.SIGKILL)
			}
		}
	}
	l.handOver(x)
	return t
}

// endTask ends a task that nobody wants to know of any more.
func (l *loop) endTask(t *task, sig syscall.Signal, patience time.Duration) {
	t.ended = nil
	if t.pid == 0 {
		t.ending, t.grace = sig, patience
		if t.search != nil {
			l.giveUpSearch(t.search)
		} else if l.flight != nil && l.flight.task == t {
			l.recallLaunch(l.flight)
		}
		return
	}
	l.signalGroup(t.pid, sig)
	l.alarms.in(patience, &t.limit, func() { l.signalGroup(t.pid, unix.SIGKILL) })
}

func (l *loop) taskReaped(t *task, ws syscall.WaitStatus) {
	delete(l.tasks, t.pid)
	l.alarms.off(&t.limit)
	if t.ended != nil {
		t.ended(ws)
	}
	t.leaves()
}
