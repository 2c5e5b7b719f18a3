package supervise

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// operate asks for up, down, restart or signal, and knows what is to come of it.
func (l *life) operate(o operation) {
	names, refusal := l.mayOperate(o)
	r := Request{Names: o.names, UID: 7, Dependents: o.with, NoWait: l.rnd.IntN(4) == 0}
	ask := map[string]func(context.Context, Request) ([]Outcome, error){"up": l.set.Up, "down": l.set.Down,
		"restart": l.set.Restart,
		"signal": func(ctx context.Context,
			r Request) ([]Outcome, error) {
			return l.set.Signal(ctx, unix.SIGUSR1, r)
		}}[o.what]
	if refusal != nil {
		l.untouched(func() {
			if _, err := ask(context.Background(), r); err == nil || err.Error() != refusal.Error() && !l.stopped {
				l.breaks("O1: %s of %v is answered with %v, and should be with %v", o.what, o.names, err, refusal)
			}
		})
		return
	}
	patience := time.Duration(1+l.rnd.IntN(60)) * time.Second
	answered := false
	l.later(patience+soon, func() {
		if !answered {
			l.breaks("O1: %s of %v is not answered", o.what, o.names)
		}
	})
	turn := l.askedFor(o.what, names)
	gen := l.gen
	l.ask(func() func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		outcomes, err := ask(ctx, r)
		return func() {
			answered = true
			if err != nil {
				if !errors.Is(err, errStopped) || !l.stopped && gen == l.gen {
					l.breaks("O1: %s of %v returns %v", o.what, o.names, err)
				}
				return
			}
			l.holdAgainst(o.what, names, outcomes, turn)
		}
	})
}

// mayOperate says of whom it will be, or why it will be refused.
func (j *judge) mayOperate(o operation) (names []string, err error) {
	names = slices.Clone(o.names)
	for _, name := range names {
		if j.wanted[name] == nil {
			return nil, &UnknownError{name}
		}
	}
	if o.what != "down" {
		return names, nil
	}
	for again := true; again; {
		again = false
		for name, p := range j.wanted {
			if r := j.refs[name]; p.Order == nil || slices.Contains(names, name) || r.hold || r.x == nil && r.finished != "" {
				continue
			}
			if slices.ContainsFunc(p.Order.Requires, func(n string) bool { return slices.Contains(names, n) }) {
				names, again = append(names, name), true
			}
		}
	}
	if by := names[len(o.names):]; len(by) > 0 && !o.with {
		slices.Sort(by)
		return nil, &RequiredError{by}
	}
	slices.Sort(names)
	return names, nil
}

// askedFor is for what will not be refused, before it is asked for.
func (j *judge) askedFor(what string, names []string) (turn int) {
	j.turnNo++
	now := j.m.now()
	for _, name := range names {
		r := j.refs[name]
		x := r.x
		if what == "signal" {
			if x != nil {
				x.mayPoke = true
			}
			continue
		}
		if r.hold, r.byFile = what == "down", false; r.hold {
			r.downs++
		}
		r.turn = j.turnNo
		leaving := x != nil && (x.unwanted >= 0 || x.termed >= 0)
		if x == nil || leaving || what == "restart" {
			r.deaths = nil
		}
		switch {
		case x == nil:
			r.anew(now)
		case x.unwanted < 0 && (leaving || what != "up"):
			x.unwanted, x.toldAt, x.early = now, j.turnNo, x.dead
		}
	}
	return j.turnNo
}

// carriedOut is told when what was asked for is done. Whoever had died before is reaped by then, as what it was: it has
// ended by its own will, and perhaps for good.
func (j *judge) carriedOut(what string, names []string) {
	for _, name := range names {
		r := j.refs[name]
		if r != nil && what == "down" {
			r.downs = max(0, r.downs-1)
		}
		switch {
		case r == nil:
		case r.x != nil:
			r.x.early = false
		case j.wanted[name] != nil:
			r.deaths = nil
			r.anew(j.m.now())
		}
	}
}

// holdAgainst holds an answer against what is, unless somebody has asked for something else since.
func (l *life) holdAgainst(what string, names []string, outcomes []Outcome, turn int) {
	var of []string
	for _, o := range outcomes {
		of = append(of, o.Name)
	}
	if !slices.Equal(of, names) {
		l.breaks("O1: %s of %v is answered of %v", what, names, of)
		return
	}
	for _, o := range outcomes {
		r := l.refs[o.Name]
		switch {
		case o.Done && o.Failed, !o.Done && o.Why == "" && what == "down" && o.Failed:
			l.breaks("O1: %s is answered with %+v", what, o)
		case r == nil || r.turn != turn || l.wanted[o.Name] == nil || l.turnNo != turn:
		case what == "down" && o.Done != (r.x == nil):
			l.breaks("O1: down of %s is answered with %+v, and its process is %v", o.Name, o, r.x)
		case o.Done && what != "down" && !l.isUp(r) && r.finished != "done":
			l.breaks("O1: %s of %s is answered with %+v", what, o.Name, o)
		}
	}
}
