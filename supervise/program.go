package supervise

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// program is the life of one Program; only the loop touches it.
type program struct {
	spec     *Program // that its process runs as
	wanted   *Program // what it is to be; nil: gone
	state    state
	outcome  outcome
	pid      int // 0: no process
	starts   int
	failures int // in a row, for the restart delay
	since    time.Time
	born     time.Duration // of the process, on the loop's clock
	alarm    alarm         // of its state
	last     string        // how the last process ended
	status   int           // its exit status, or 128 and the signal
	why      string        // its process has to go, when that is a failure

	*extra // nil unless the spec asks for one of them
}

// extra is what few programs need.
type extra struct {
	grave  alarm       // its process has been reaped, the group not
	deaths []time.Time // for GiveUp
	pipes  pipes
	sink   *Sink
	gate   *gate
	watch  watch
	hooks  *hooks
	tail   *tail
	failed error // of a Required one: why it was not ready at the first try
	ready  bool  // of a Required one: it has been
}

// outcome is how a program has ended for good.
type outcome uint8

const (
	open outcome = iota // it has not
	done
	failed
)

// public is the state as others are told of it.
func (p *program) public() string {
	switch {
	case p.state == down && p.outcome == done:
		return "done"
	case p.state == down && p.outcome == failed:
		return "failed"
	case p.state == queued:
		return starting.String()
	case p.state.leaving():
		return stopping.String()
	}
	return p.state.String()
}

func (p *program) more() *extra {
	if p.extra == nil {
		p.extra = &extra{}
	}
	return p.extra
}

// on does what the table says: the only place where a state changes.
func (l *loop) on(p *program, e event) {
	was, s := p.public(), table[p.state][e]
	if s.to != p.state {
		p.state, p.since = s.to, time.Now()
		if e == want {
			p.outcome = open
		}
		l.changed(p, was)
	}
	switch s.do {
	case nothing:
	case admit:
		l.admit(p)
	case enqueue:
		l.queue = append(l.queue, p)
	case await:
		l.await(p)
	case arrive:
		l.arrive(p)
	case linger:
		l.alarms.off(&p.alarm)
		if !l.outlives(p) {
			l.on(p, clear)
		}
	case terminate:
		l.terminate(p, p.spec.StopTimeout)
	case fault:
		l.fault(p)
	case kill:
		if e == timer {
			l.Log.Warn(p.says("still runs %v after %s: killed", p.spec.StopTimeout, unix.SignalName(p.spec.stopSignal())), "pid", p.pid)
		}
		p.signal(unix.SIGKILL)
		l.alarms.in(10*time.Second, &p.alarm, func() { l.on(p, timer) })
	case wait:
		l.closeGate(p)
		l.alarms.in(jitter(p.delay(), rand.Float64()), &p.alarm, func() { l.on(p, timer) })
	case rest:
		l.rest(p)
	case settle:
		l.settle(p)
	case complain:
		l.Log.Error(p.says("KILL has had no effect"), "pid", p.pid)
		l.alarms.in(time.Minute, &p.alarm, func() { l.on(p, timer) })
	default:
		l.Log.Error(p.says("bug: event %v in state %v", e, p.state))
	}
}

// admit lets p go on once the others and its gate do.
func (l *loop) admit(p *program) {
	if p.wanted == nil {
		return // it is about to be told
	}
	l.alarms.off(&p.alarm)
	if l.clearOfOthers(p) && l.gateIsOpen(p) {
		l.on(p, clear)
	}
}

// launch starts the process of a program whose turn has come, unless it has been stopped since.
func (l *loop) launch(p *program) {
	if p.state != queued {
		return
	}
	p.starts++
	pid, err := l.start(p)
	if err != nil {
		p.last = "not started: " + err.Error()
		l.failed = append(l.failed, fmt.Errorf("program %s: %w", p.spec.Name, err))
		l.fails(p, fmt.Sprintf("cannot be started: %v", err), slog.LevelError, noStart)
		return
	}
	p.pid, p.why, p.born = pid, "", time.Since(l.epoch)
	l.byPID[pid] = p
	l.Log.Debug(p.says("started"), "pid", pid)
	l.on(p, started)
}

// await waits for readiness.
func (l *loop) await(p *program) {
	r := p.spec.Ready
	switch {
	case p.spec.OneShot:
	case r == nil || r.FD == 0 && !r.Notify && r.After == 0:
		l.on(p, ready)
	case r.After > 0:
		l.alarms.in(r.After, &p.alarm, func() { l.on(p, ready) })
	default:
		l.alarms.in(r.timeout(), &p.alarm, func() {
			p.why = fmt.Sprintf("not ready after %v", r.timeout())
			l.on(p, timer)
		})
	}
}

func (r *Ready) timeout() time.Duration {
	if r.Timeout == 0 {
		return time.Minute
	}
	return r.Timeout
}

func (l *loop) arrive(p *program) {
	l.alarms.off(&p.alarm)
	if p.spec.Ready != nil {
		l.Log.Info(p.says("ready"), "pid", p.pid)
	}
	l.watchOver(p)
	l.verdict(p, nil)
	l.tellOthers(p)
}

func (l *loop) terminate(p *program, patience time.Duration) {
	l.unwatch(p)
	p.signal(p.spec.stopSignal())
	p.signal(unix.SIGCONT) // a stopped process would not see it
	l.alarms.in(patience, &p.alarm, func() { l.on(p, timer) })
}

// fault ends a process that has to go; p.why says why.
func (l *loop) fault(p *program) {
	patience := p.spec.StopTimeout
	if g := p.spec.Gate; g != nil && (p.extra == nil || p.gate == nil) {
		patience = min(patience, g.Timeout)
	}
	l.Log.Warn(p.says("%s: stopping it", p.why), "pid", p.pid)
	l.terminate(p, patience)
}

// bury takes note of a process that was reaped.
func (l *loop) bury(p *program, pid int, ws syscall.WaitStatus) {
	p.last, p.status = words(ws)
	l.unwatch(p)
	l.release(p)
	if p.state.leaving() {
		l.Log.Debug(p.says("stopped: %s", p.last), "pid", pid)
		l.on(p, died)
		return
	}
	lived := time.Since(l.epoch) - p.born
	if lived >= p.spec.Backoff.orDefault().ResetAfter {
		p.failures = 0
	}
	what := fmt.Sprintf("%s after %v", p.last, lived.Round(time.Millisecond))
	again, worked := l.again(p, ws)
	switch {
	case again:
		level := slog.LevelWarn
		if ws == 0 {
			level = slog.LevelInfo
		}
		l.failure(p, what, level, died)
	case worked:
		l.Log.Info(p.says("%s; done", what), "pid", pid)
		l.finish(p, done)
	default:
		l.Log.Error(p.says("%s; not restarted", what), "pid", pid)
		l.verdict(p, errors.New(what))
		l.finish(p, failed)
	}
}

// finish ends a program for good. One that is down already, after a stop that nobody asked for, changes its outcome only.
func (l *loop) finish(p *program, o outcome) {
	was, wasDown := p.public(), p.state == down
	p.outcome = o
	if wasDown {
		l.changed(p, was)
	}
	l.on(p, ended)
}

// rest is for a program that has ended for good.
func (l *loop) rest(p *program) {
	l.alarms.off(&p.alarm)
	l.closeGate(p)
	if p.outcome == done {
		l.verdict(p, nil)
	}
	if p.spec.Essential && l.Fail != nil {
		l.Fail(&EndedError{p.spec.Name, p.last, p.status})
	}
	l.tellOthers(p)
}

// settle is for a program that has come down in the course of a stop.
func (l *loop) settle(p *program) {
	l.alarms.off(&p.alarm)
	l.closeGate(p)
	switch {
	case p.wanted == nil:
		delete(l.programs, p.spec.Name)
		l.closeSink(p)
	case p.why != "" && p.wanted == p.spec: // nobody asked for the stop
		why := p.why
		p.why = ""
		l.fails(p, why, slog.LevelWarn, died)
	default:
		p.spec, p.why, p.outcome = p.wanted, "", open
		l.on(p, want)
	}
	l.tellOthers(p)
}

// takesOn says whether a signal is enough to turn the process of p into next.
func (p *program) takesOn(next *Program) bool {
	return next.ReloadSignal != 0 && (p.state == up || p.state == starting) && p.spec == p.wanted && slices.Equal(p.spec.Command, next.Command)
}

// signal goes to the group. Its leader has not been reaped, so the number is still its own.
func (p *program) signal(sig syscall.Signal) {
	if p.pid > 1 {
		unix.Kill(-p.pid, sig)
	}
}

func (p *program) says(format string, args ...any) string {
	return "program " + p.spec.Name + ": " + fmt.Sprintf(format, args...)
}
