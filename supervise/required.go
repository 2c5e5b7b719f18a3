package supervise

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// verdict notes of a Required program whether its first try has made it ready.
func (l *loop) verdict(p *program, err error) {
	if !p.spec.Required {
		return
	}
	x := p.withFeatures()
	if x.proven || x.firstError != nil {
		return
	}
	if err == nil {
		x.proven, x.tail = true, nil
		l.judge()
		return
	}
	x.firstError = err
	if lines := x.tail.String(); lines != "" {
		x.firstError = fmt.Errorf("%w; its last lines:\n%s", err, lines)
	}
	x.tail = nil
	l.judge()
}

// aliveFor is how long a Required program that does not tell when it is ready has to live to count as such: one that
// dies of its configuration dies sooner.
const aliveFor = time.Second

// prove notes of a Required program that is up that it is ready, at once or when it has proved to live.
func (l *loop) prove(p *program) {
	switch {
	case !p.spec.Required || p.features != nil && (p.features.proven || p.firstError != nil):
	case p.spec.Ready.tells():
		l.verdict(p, nil)
	default:
		l.alarms.in(aliveFor, &p.withFeatures().proof, func() { l.proved(p) })
	}
}

// proved is for one that has lived for long enough, unless it has died before, which is the verdict.
func (l *loop) proved(p *program) {
	if l.reap(); p.pid != 0 {
		l.verdict(p, nil)
	}
}

// require is for one that is to be Required from now on.
func (l *loop) require(p *program) {
	switch {
	case p.state == up && p.pid != 0:
		l.prove(p)
	case p.state == down && p.outcome == succeeded:
		l.verdict(p, nil)
	case p.state == down && p.outcome == gaveUp:
		l.verdict(p, errors.New(p.fault))
	}
}

// judge answers those who await the Required programs, when there is an answer.
func (l *loop) judge() {
	if len(l.awaiting) == 0 || l.stopping != nil {
		return
	}
	var errs []error
	unknown := false
	for _, name := range slices.Sorted(maps.Keys(l.programs)) {
		p := l.programs[name]
		switch {
		case p.wanted == nil || !p.wanted.Required || p.held() || p.features != nil && p.features.proven:
		case p.features == nil || p.firstError == nil:
			unknown = true
		default:
			errs = append(errs, fmt.Errorf("program %s: %w", name, p.firstError))
		}
	}
	if unknown && len(errs) == 0 {
		return
	}
	for _, reply := range l.awaiting {
		reply <- errors.Join(errs...)
	}
	l.awaiting = nil
}
