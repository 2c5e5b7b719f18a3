package supervise

import (
	"fmt"
	"reflect"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watch is what looks after a program that is up; it begins anew with every process.
type watch struct {
	next     alarm // of the check
	running  *task
	failures int // in a row
	failed   int // in all, of all processes
	watchdog alarm
}

func (l *loop) watchOver(p *program) {
	if p.stops() {
		l.stopsItself(p)
		return
	}
	l.beginChecks(p)
	l.resetWatchdog(p)
}

func (l *loop) beginChecks(p *program) {
	if c := p.spec.Check; c != nil {
		p.withFeatures().watch.failures = 0
		l.alarms.in(c.StartAfter, &p.watch.next, func() { l.check(p) })
	}
}

// takesOnCheck is for a process that runs on with another check than it had, or without one.
func (l *loop) takesOnCheck(p *program, was *Check) {
	if p.state == up && p.pid != 0 && !p.stops() && !reflect.DeepEqual(was, p.spec.Check) {
		l.endChecks(p)
		l.beginChecks(p)
	}
}

func (l *loop) endChecks(p *program) {
	if p.features == nil {
		return
	}
	l.alarms.off(&p.watch.next)
	if t := p.watch.running; t != nil {
		l.endTask(t, unix.SIGKILL, 0)
		p.watch.running = nil
	}
}

func (l *loop) unwatch(p *program) {
	if p.features == nil {
		return
	}
	l.endChecks(p)
	l.alarms.off(&p.watch.watchdog)
	if p.notified != nil {
		l.alarms.off(&p.notified.end)
	}
	l.alarms.off(&p.proof)
}

// check runs the command once.
func (l *loop) check(p *program) {
	c := p.spec.Check
	cmd := p.spec.command(c.Command)
	p.watch.running = l.startTask(cmd, c.Timeout, l.checkEnded(p), func(err error) {
		p.watch.running = nil
		if shortage(err) && p.state == up && p.spec.Check != nil {
			l.Log.Debug(p.says("check: %v; it does not count", err))
			l.alarms.in(p.spec.Check.Every, &p.watch.next, func() { l.check(p) })
			return
		}
		l.checked(p, false, err.Error())
	})
}

func (l *loop) checkEnded(p *program) func(ws syscall.WaitStatus) {
	return func(ws syscall.WaitStatus) {
		p.watch.running = nil
		how, _ := words(ws)
		l.checked(p, ws == 0, how)
	}
}

func (l *loop) checked(p *program, well bool, how string) {
	c, w := p.spec.Check, &p.watch
	if c == nil || p.state != up {
		return // a reload has taken it away
	}
	if well {
		w.failures = 0
	} else {
		w.failures++
		w.failed++
		l.tellChanged()
		l.Log.Debug(p.says("check: %s", how), "failures", w.failures)
		if w.failures >= max(1, c.Failures) {
			l.endUnhealthy(p, fmt.Sprintf("its check failed %d times in a row, the last one %s", w.failures, how))
			return
		}
	}
	l.alarms.in(c.Every, &w.next, func() { l.check(p) })
}

// resetWatchdog is the watchdog's WATCHDOG=1.
func (l *loop) resetWatchdog(p *program) {
	every := p.watchdog()
	if every == 0 || p.state != up {
		return
	}
	l.awaitWatchdog(p, every, every)
}

// awaitWatchdog waits for left, of every.
func (l *loop) awaitWatchdog(p *program, left, every time.Duration) {
	l.unlessHeard(p, left, &p.withFeatures().watch.watchdog, func() {
		l.endUnhealthy(p, fmt.Sprintf("no WATCHDOG=1 for %v", every))
	})
}

// watchdog is the longest time between two WATCHDOG=1; 0: none is expected.
func (p *program) watchdog() time.Duration {
	switch r := p.spec.Ready; {
	case p.stops():
		return 0
	case p.features != nil && p.notified != nil && p.notified.watchdog != nil:
		return *p.notified.watchdog
	case r != nil:
		return r.Watchdog
	}
	return 0
}

// endUnhealthy ends a process that has to go.
func (l *loop) endUnhealthy(p *program, why string) {
	if p.pid == 0 {
		return // it has gone by itself
	}
	if !p.state.leaving() {
		p.why = why
	}
	l.on(p, unhealthy)
}
