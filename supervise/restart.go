package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"time"
)

// again is the restart policy: whether there is to be another process, and if not, whether this one has done its work.
func (l *loop) again(p *program, ws syscall.WaitStatus) (again, worked bool) {
	worked = ws == 0
	switch {
	case l.NoRespawn, p.spec.Restart == Never,
		worked && (p.spec.OneShot || p.spec.Restart == OnFailure),
		ws.Exited() && slices.Contains(p.spec.PermanentExit, ws.ExitStatus()),
		l.givesUp(p):
		return false, worked
	}
	return true, worked
}

// givesUp notes one more death.
func (l *loop) givesUp(p *program) bool {
	g := p.spec.GiveUp
	if g == nil {
		return false
	}
	x := p.withFeatures()
	now := time.Since(l.epoch)
	x.deaths = append(slices.DeleteFunc(x.deaths, func(t time.Duration) bool { return now-t > g.Within }), now)
	return len(x.deaths) >= g.Tries
}

// beginAnew has p be tried as if nothing had happened.
func (p *program) beginAnew() {
	p.failures = 0
	if p.features != nil {
		p.deaths = nil
	}
}

// fails is for what is no end of a process that the restart policy could judge: it is tried again, e,
// unless nothing is.
func (l *loop) fails(p *program, what string, level slog.Level, e event) {
	p.fault = what
	if l.NoRespawn || p.spec.Restart == Never || l.givesUp(p) {
		l.Log.Error(p.says("%s; not restarted", what), l.itSaid(p)...)
		l.verdict(p, errors.New(what))
		l.finish(p, gaveUp)
		return
	}
	l.failure(p, what, level, e)
}

// endedForGood is what is said of the end of an Essential program. One that has failed is no success, though it may
// have had no process, or one that ended with 0 when it was stopped for a fault.
func (p *program) endedForGood() *EndedError {
	e := &EndedError{p.spec.Name, p.last, p.status}
	if p.outcome != gaveUp {
		return e
	}
	if !strings.HasPrefix(p.fault, p.last) {
		e.How = p.fault
	}
	if p.ran == 0 || e.Status == 0 {
		e.Status = 1
	}
	return e
}

// failure counts, tells what happens next, and goes on with e.
func (l *loop) failure(p *program, what string, level slog.Level, e event) {
	p.fault = what
	p.failures++
	then := "restarting now"
	if d := p.delay(); d > 0 {
		then = fmt.Sprintf("restarting in %v (%d times in a row)", d, p.failures)
	}
	if loud(p.failures) {
		l.Log.Log(context.Background(), level, p.says("%s; %s", what, then), l.itSaid(p)...)
	}
	l.verdict(p, errors.New(what))
	l.on(p, e)
}

// loud keeps a program that dies for ever from flooding the log: the first time is told, then powers of two.
func loud(n int) bool { return n&(n-1) == 0 }

func (p *program) delay() time.Duration {
	return p.spec.Backoff.orDefault().delay(max(0, p.failures-1))
}
