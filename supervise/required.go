package supervise

import (
	"errors"
	"fmt"
	"time"
)

// verdict notes of a Required program whether its first try has made it ready.
func (l *loop) verdict(p *program, err error) {
	if !p.spec.Required {
		return
	}
	x := p.more()
	if x.ready || x.failed != nil {
		return
	}
	if err == nil {
		x.ready, x.tail = true, nil
		l.judge()
		return
	}
	x.failed = err
	// Its last lines may still be in the pipe.
	l.alarms.in(100*time.Millisecond, &alarm{}, func() {
		if lines := x.tail.String(); lines != "" {
			x.failed = fmt.Errorf("%w; its last lines:\n%s", err, lines)
		}
		x.tail = nil
		l.judge()
	})
}

// judge answers those who await the Required programs, when there is an answer.
func (l *loop) judge() {
	if len(l.awaiting) == 0 {
		return
	}
	var errs []error
	unknown := false
	for name, p := range l.programs {
		switch {
		case !p.spec.Required || p.extra != nil && p.extra.ready:
		case p.extra == nil || p.failed == nil || p.tail != nil:
			unknown = true
		default:
			errs = append(errs, fmt.Errorf("program %s: %w", name, p.failed))
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
