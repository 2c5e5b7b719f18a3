package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// program is the life of one Program; only the loop touches it.
type program struct {
	spec     *Program
	next     *Program // what it is to be after the stop that is under way; nil: gone
	state    state
	index    int // in the deadlines; -1: not there
	pid      int // 0: no process
	starts   int
	failures int // ends in a row, for the restart delay
	since    time.Time
	deadline time.Time
}

// goal is what the program is to be once the stop that is under way, if any, is over; nil: gone.
func (p *program) goal() *Program {
	if p.next != nil || p.leaving() {
		return p.next
	}
	return p.spec
}

func (p *program) leaving() bool { return p.state == stopping || p.state == killing }

// on does what the table says: the only place where a state changes.
func (l *loop) on(p *program, e event) {
	from, s := p.state, table[p.state][e]
	p.state = s.to
	if s.to != from {
		p.since = time.Now()
	}
	switch s.do {
	case nothing:
	case enqueue:
		l.queue = append(l.queue, p)
	case terminate:
		p.signal(p.spec.stopSignal())
		p.signal(unix.SIGCONT) // a stopped process would not see it
		l.deadlines.set(p, p.spec.StopTimeout)
	case kill:
		if e == timer {
			l.Log.Warn(p.says("still runs %v after %s: killed", p.spec.StopTimeout, unix.SignalName(p.spec.stopSignal())), "pid", p.pid)
		}
		p.signal(unix.SIGKILL)
		l.deadlines.set(p, 10*time.Second)
	case wait:
		l.deadlines.set(p, p.delay())
	case rest:
		l.deadlines.remove(p)
	case settle:
		l.deadlines.remove(p)
		if p.next == nil {
			delete(l.programs, p.spec.Name)
			return
		}
		p.spec, p.next = p.next, nil
		l.on(p, want)
	case complain:
		l.Log.Error(p.says("KILL has had no effect"), "pid", p.pid)
		l.deadlines.set(p, time.Minute)
	default:
		l.Log.Error(p.says("bug: event %d in state %v", e, from))
	}
}

// launch starts the process of a program whose turn has come, unless it has been stopped since.
func (l *loop) launch(p *program) {
	if p.state != queued {
		return
	}
	pid, err := l.launcher.start(p.spec)
	p.starts++
	if err != nil {
		p.failures++
		if loud(p.failures) {
			l.Log.Error(p.says("cannot be started: %v; %s", err, p.prospect()))
		}
		l.failed = append(l.failed, fmt.Errorf("program %s: %w", p.spec.Name, err))
		l.on(p, noStart)
		return
	}
	p.pid = pid
	l.byPID[pid] = p
	l.Log.Debug(p.says("started"), "pid", pid)
	l.on(p, started)
}

// bury takes note of a process that was reaped.
func (l *loop) bury(p *program, ws syscall.WaitStatus) {
	pid, lived := p.pid, time.Since(p.since)
	delete(l.byPID, pid)
	p.pid = 0
	if p.leaving() {
		l.Log.Debug(p.says("stopped: %s", words(ws)), "pid", pid)
		l.on(p, died)
		return
	}
	if lived >= p.spec.Backoff.orDefault().ResetAfter {
		p.failures = 0
	}
	p.failures++
	level, then, e := slog.LevelInfo, "not restarted", ended
	if ws != 0 {
		level = slog.LevelWarn
	}
	if l.again(p, ws) {
		then, e = p.prospect(), died
	}
	if e == ended || loud(p.failures) {
		l.Log.Log(context.Background(), level, p.says("%s after %v; %s", words(ws), lived.Round(time.Millisecond), then), "pid", pid)
	}
	l.on(p, e)
}

// again is the restart policy.
func (l *loop) again(p *program, ws syscall.WaitStatus) bool {
	switch {
	case l.NoRespawn, p.spec.Restart == Never:
		return false
	case p.spec.Restart == OnFailure:
		return ws != 0
	}
	return true
}

func (p *program) delay() time.Duration { return p.spec.Backoff.orDefault().delay(p.failures - 1) }

func (p *program) prospect() string {
	d := p.delay()
	if d == 0 {
		return "restarting now"
	}
	return fmt.Sprintf("restarting in %v (%d times in a row)", d, p.failures)
}

// loud keeps a program that dies for ever from flooding the log: the first time is told, then powers of two.
func loud(n int) bool { return n&(n-1) == 0 }

// signal goes to the group. Its leader has not been reaped, so the number is still its own.
func (p *program) signal(sig syscall.Signal) {
	if p.pid > 1 {
		unix.Kill(-p.pid, sig)
	}
}

func (p *program) says(format string, args ...any) string {
	return "program " + p.spec.Name + ": " + fmt.Sprintf(format, args...)
}

func (p *Program) stopSignal() syscall.Signal {
	if p.StopSignal == 0 {
		return unix.SIGTERM
	}
	return p.StopSignal
}

func words(ws syscall.WaitStatus) string {
	switch {
	case ws.Signaled() && ws.CoreDump():
		return fmt.Sprintf("killed by %s, core dumped", unix.SignalName(ws.Signal()))
	case ws.Signaled():
		return "killed by " + unix.SignalName(ws.Signal())
	}
	return fmt.Sprintf("exited with status %d", ws.ExitStatus())
}
