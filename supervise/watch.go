package supervise

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// watch is what looks after a program that is up; it begins anew with every process.
type watch struct {
	next     alarm // of the check
	running  *task
	failures int
	dog      alarm
}

func (l *loop) watchOver(p *program) {
	if c := p.spec.Check; c != nil {
		p.more().watch.failures = 0
		l.alarms.in(c.StartAfter, &p.watch.next, func() { l.check(p) })
	}
	l.feedDog(p)
}

func (l *loop) unwatch(p *program) {
	if p.extra == nil {
		return
	}
	l.alarms.off(&p.watch.next)
	l.alarms.off(&p.watch.dog)
	if t := p.watch.running; t != nil {
		l.end(t, unix.SIGKILL, 0)
		p.watch.running = nil
	}
}

// check runs the command once.
func (l *loop) check(p *program) {
	c := p.spec.Check
	cmd := p.spec.command(c.Command)
	t, err := l.begin(cmd, c.Timeout, func(ws syscall.WaitStatus) {
		p.watch.running = nil
		how, _ := words(ws)
		l.checked(p, ws == 0, how)
	})
	if err != nil {
		l.checked(p, false, err.Error())
		return
	}
	p.watch.running = t
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
		l.Log.Debug(p.says("check: %s", how), "failures", w.failures)
		if w.failures >= max(1, c.Failures) {
			l.ail(p, fmt.Sprintf("its check failed %d times in a row, the last one %s", w.failures, how))
			return
		}
	}
	l.alarms.in(c.Every, &w.next, func() { l.check(p) })
}

// feedDog is the watchdog's WATCHDOG=1.
func (l *loop) feedDog(p *program) {
	r := p.spec.Ready
	if r == nil || r.Watchdog == 0 || p.state != up {
		return
	}
	l.alarms.in(r.Watchdog, &p.more().watch.dog, func() {
		l.ail(p, fmt.Sprintf("no WATCHDOG=1 for %v", r.Watchdog))
	})
}

// ail ends a process that has to go.
func (l *loop) ail(p *program, why string) {
	if !p.state.leaving() {
		p.why = why
	}
	l.on(p, sick)
}
