package supervise

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// program is the life of one Program; only the loop touches it.
type program struct {
	spec     *Program // that its process runs as
	wanted   *Program // what it is to be; nil: gone
	state    state
	outcome  outcome
	stop     uint32   // loop.stops when it was told to
	missing  int32    // who it comes after and was not there, in Order, After first
	passed   int32    // of those who come after it, how many it waits for no more in order to stop
	holder   *program // the one that it waits for
	pid      int      // 0: no process
	session  int      // of the last one
	starts   int
	failures int           // in a row, for the restart delay
	since    time.Duration // it got into its state, since the boot
	born     time.Duration // of the process, on the loop's clock
	told     time.Duration // when the last one was told to stop, on that clock
	alarm    alarm         // of its state
	last     string        // how the last process ended
	status   int           // its exit status, or 128 and the signal
	why      string        // its process has to go, when that is a failure
	fault    string        // why it failed last, until it is ready or done
	begun    time.Duration // its process, since the boot
	exits    exits
	swept    bool     // of what its last process has left, where no cgroup tells that there is nobody
	bound    bool     // its cgroup has, or has had, Resources
	leaves   bool     // it was asked to stop, or to start when it has stopped, though it is to be what it is
	ran      int32    // the PID of its last process; 0: that could not be started
	sources  []source // of its process
	sink     *Sink
	spent    int64                   // microseconds of the processor in its cgroup before its process; -1: not known
	found    atomic.Pointer[finding] // by who measured it last, on whatever goroutine

	*features // nil unless the spec asks for one of them
}

// features is what few programs need.
type features struct {
	hold       *Hold           // nil: it is not held
	asking     []*wish         // who waits for what becomes of it
	groupEnd   *groupEnd       // its process has been reaped, the group not; nil: otherwise
	groupCheck alarm           // when that is looked at next
	deaths     []time.Duration // for GiveUp, on the loop's clock
	given      *Program        // spec, with what had to be found for its process
	search     *search         // for what its process needs; nil: nobody looks
	gate       *gate
	watch      watch
	notified   *notifyState
	hooks      *hooks
	tail       *tail
	firstError error // of a Required one: why it was not ready at the first try
	proven     bool  // of a Required one: it has been
	proof      alarm // of a Required one that does not tell when it is ready: it has lived for a while
}

// outcome is how a program has ended for good.
type outcome uint8

const (
	unfinished outcome = iota // it has not
	succeeded
	gaveUp
)

// public is the state as others are told of it.
func (p *program) public() string {
	switch {
	case p.state == down && p.outcome == succeeded:
		return "done"
	case p.state == down && p.outcome == gaveUp:
		return "failed"
	case p.state == queued, p.state == launching:
		return starting.String()
	case p.state == recalled, p.state.leaving():
		return stopping.String()
	case p.state == held:
		return down.String()
	}
	return p.state.String()
}

func (p *program) withFeatures() *features {
	if p.features == nil {
		p.features = &features{}
	}
	return p.features
}

// on does what the table says: the only place where a state changes.
func (l *loop) on(p *program, e event) {
	was, s := p.public(), table[p.state][e]
	if s.to != p.state {
		p.state, p.since = s.to, l.kernel.sinceBoot()
		if e == want || e == lift || e == hold || e == renew {
			p.outcome = unfinished
		}
		if e == started {
			p.begun = p.since
		}
		l.changed(p, was)
	}
	switch s.do {
	case nothing:
	case admit:
		l.admit(p)
	case enqueue:
		if p.features != nil {
			p.search = nil // what was found before may not be so any more
		}
		l.enqueue(p)
	case await:
		l.await(p)
	case arrive:
		l.arrive(p)
	case recall:
		l.recall(p)
	case linger:
		l.linger(p, e)
	case terminate:
		l.terminate(p)
	case fault:
		l.fault(p)
	case kill:
		l.kill(p, e)
	case delay:
		l.delay(p)
	case rest:
		l.rest(p)
	case settle:
		l.settle(p)
	case complain:
		l.complain(p)
	case pass:
		l.signalMain(p, l.poke)
	default:
		l.Log.Error(p.says("bug: event %v in state %v", e, p.state))
	}
	l.answer(p)
}

// admit lets p go on once the others and its gate do.
func (l *loop) admit(p *program) {
	if p.wanted == nil || p.held() {
		return // it is about to be told
	}
	l.alarms.off(&p.alarm)
	if l.orderAllows(p) && l.swept(p) && l.gateIsOpen(p) {
		l.on(p, unblocked)
		return
	}
	l.answer(p) // it may be clear by now that it will have to wait for long
}

func (l *loop) arrive(p *program) {
	l.alarms.off(&p.alarm)
	p.fault = ""
	if p.spec.Ready != nil {
		l.Log.Info(p.says("ready"), "pid", p.pid)
	}
	l.watchOver(p)
	l.prove(p)
	l.readmitDependents(p)
}

// recall is for a launch that is not wanted any more.
func (l *loop) recall(p *program) {
	p.stop = l.stops
	if l.flight != nil && l.flight.program == p {
		l.recallLaunch(l.flight)
	}
}

// linger has p stop once nobody outlives it.
func (l *loop) linger(p *program, e event) {
	l.alarms.off(&p.alarm)
	p.passed = 0
	if e == unwant || e == hold || e == renew {
		p.stop = l.stops
	}
	if !l.outlives(p) {
		l.on(p, unblocked)
	}
}

func (l *loop) terminate(p *program) {
	l.unwatch(p)
	if p.wanted == nil {
		l.giveUpSockets(p, p.spec.Listen, nil) // who connects now would wait in vain
	}
	p.told = time.Since(l.epoch)
	l.signal(p, p.spec.stopSignal())
	l.wake(p)
	l.alarms.in(p.spec.stopTimeout(), &p.alarm, func() { l.on(p, timer) })
}

// fault ends a process that has to go; p.why says why. It is told as the failure will be that this is to be.
func (l *loop) fault(p *program) {
	if time.Since(l.epoch)-p.born >= p.spec.Backoff.orDefault().ResetAfter || loud(p.failures+1) {
		l.Log.Warn(p.says("%s: stopping it", p.why), "pid", p.pid)
	}
	l.terminate(p)
}

func (l *loop) kill(p *program, e event) {
	switch e {
	case timer:
		l.Log.Warn(p.says("still runs %v after %s: killed", l.took(p, stopping, p.spec.stopTimeout()),
			signalName(p.spec.stopSignal())), "pid", p.pid)
	case hurry:
		l.Log.Warn(p.says("still runs, and there is no more time to stop: killed"), "pid", p.pid)
	}
	l.signal(p, unix.SIGKILL)
	l.alarms.in(10*time.Second, &p.alarm, func() { l.on(p, timer) })
}

func (l *loop) complain(p *program) {
	l.Log.Error(p.says("KILL has had no effect"), "pid", p.pid)
	l.alarms.in(time.Minute, &p.alarm, func() { l.on(p, timer) })
}

// delay has p tried again, at once or when the restart delay is over.
func (l *loop) delay(p *program) {
	l.closeGate(p)
	if d := jitter(p.delay(), l.kernel.random()); d > 0 {
		l.alarms.in(d, &p.alarm, func() { l.on(p, timer) })
		return
	}
	l.answer(p)
	l.on(p, timer)
}

// reaped takes note of a process that was reaped.
func (l *loop) reaped(p *program, end *groupEnd) {
	pid, ws := end.PID, end.Status
	p.last, p.status = words(ws)
	p.exits.count(p, ws)
	l.unwatch(p)
	l.release(p)
	if end.Lived >= p.spec.Backoff.orDefault().ResetAfter {
		p.failures = 0 // whatever its end is
	}
	if p.state.leaving() {
		l.debug(p, pid, "stopped: %s", p.last)
		l.on(p, died)
		return
	}
	what := fmt.Sprintf("%s after %v", p.last, lifetime(end.Lived))
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
		l.finish(p, succeeded)
	default:
		l.Log.Error(p.says("%s; not restarted", what), append([]any{"pid", pid}, l.itSaid(p)...)...)
		p.fault = what
		l.verdict(p, errors.New(what))
		l.finish(p, gaveUp)
	}
}

// finish ends a program for good. One that is down already, after a stop that nobody asked for,
// changes its outcome only.
func (l *loop) finish(p *program, o outcome) {
	was, wasDown := p.public(), p.state == down
	p.outcome = o
	if o == succeeded {
		p.fault = ""
	}
	if wasDown {
		l.changed(p, was)
	}
	l.on(p, ended)
}

// rest is for a program that has ended for good.
func (l *loop) rest(p *program) {
	l.alarms.off(&p.alarm)
	l.closeGate(p)
	l.giveUpSockets(p, p.spec.Listen, nil)
	if p.outcome == succeeded {
		l.verdict(p, nil)
	}
	if p.spec.Essential && l.Fail != nil {
		l.Fail(p.endedForGood())
	}
	l.readmitDependents(p)
}

// settle is for a program that has come down in the course of a stop.
func (l *loop) settle(p *program) {
	was := p.spec
	l.alarms.off(&p.alarm)
	l.closeGate(p)
	if p.wanted == nil {
		delete(l.programs, p.spec.Name)
		if l.stopping == nil {
			l.tellEvent(p, p.public(), Gone)
		}
	}
	l.leaveCgroup(p, was)
	switch {
	case p.wanted == nil:
		l.reader.forget(l.closeSink(p))
		l.giveUpSockets(p, was.Listen, nil)
	case p.why != "" && !p.isChanging(): // nobody asked for the stop
		why := p.why
		p.why = ""
		l.fails(p, why, slog.LevelWarn, died)
	default:
		p.spec, p.why, p.fault, p.leaves = p.wanted, "", "", false
		l.giveUpSockets(p, was.Listen, p.spec.Listen)
		l.rested(p)
		if p.held() {
			p.outcome = unfinished
			l.on(p, hold)
		} else {
			l.on(p, want)
		}
	}
	l.readmitDependents(p)
	l.releaseLingering(p, was)
}
