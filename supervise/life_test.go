package supervise

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"runtime/debug"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// life is one schedule, lived.
type life struct {
	*machine
	answers chan func()     // that have come
	waiting int             // for answers
	updated []time.Duration // when each Update was answered
	downAt  time.Duration   // when Stop has returned
	over    bool            // Stop has returned
	options Options
	loop    *loop
	cancel  func() // of the stop
}

// live runs operations on a Set and a machine of this seed. It returns what was wrong, and the trace if one is wanted.
func live(t *testing.T, seed uint64, ops []operation, tracing bool) (wrong, trace []string) {
	_, wrong, trace = liveWith(t, nil, seed, ops, tracing)
	return wrong, trace
}

func liveWith(t *testing.T, f fates, seed uint64, ops []operation, tracing bool) (l *life, wrong, trace []string) {
	synctest.Test(t, func(*testing.T) {
		l = &life{machine: newMachine(seed), answers: make(chan func(), 100)}
		l.tracing, l.fates = tracing, f
		l.orphans = l.rnd.IntN(3) == 0
		o := Options{Log: slog.New(l.machine), Orphans: l.orphans, Mark: mark, Fail: l.fail, Event: l.heard}
		if l.cgroups = l.orphans && l.rnd.IntN(2) == 0; l.cgroups {
			o.Cgroup = "/set"
		}
		l.helper = seed%2 == 0
		o.Helper = l.helper
		l.options = o
		l.set = &Set{requests: make(chan any), ended: make(chan struct{})}
		l.loop = newLoop(o, l.set, l.machine)
		l.run()
		l.tick()
		l.next(ops)
		l.drive(func() bool {
			l.collect()
			return l.over && l.waiting == 0 || len(l.wrong) > 0
		})
		wrong, trace = l.wrong, l.trace
		l.end()
	})
	return l, wrong, trace
}

func (l *life) run() {
	loop := l.loop
	go func() {
		defer l.crashed()
		loop.run()
	}()
}

// crashed makes a panic of the loop one more thing that is wrong, with a seed.
func (l *life) crashed() {
	if r := recover(); r != nil {
		l.breaks("crash: %v\n%s", r, debug.Stack())
	}
}

// end ends all goroutines, whatever was wrong.
func (l *life) end() {
	l.stopped, l.limited = true, true
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if l.cancel != nil {
		l.cancel()
	}
	go l.set.Stop(ctx)
	l.drive(func() bool {
		select {
		case <-l.set.ended:
			return true
		default:
		}
		if l.now() > 100*time.Hour {
			panic("the loop does not end")
		}
		return false
	})
}

func (l *life) tick() {
	l.later(10*time.Second, l.tick)
}

// ask has something asked that may take its time.
func (l *life) ask(question func() (answer func())) {
	l.waiting++
	l.sync()
	go func() {
		l.answers <- question()
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}()
}

func (l *life) collect() {
	for {
		select {
		case answer := <-l.answers:
			l.waiting--
			answer()
		default:
			return
		}
	}
}

func (l *life) fail(err error) {
	l.sync()
	defer l.sync()
	var e *EndedError
	if !errors.As(err, &e) {
		l.breaks("S: Fail gets %v", err)
	} else if r := l.refs[e.Name]; r == nil || !r.spec.Essential {
		l.breaks("S: Fail is called for %s, which is not essential", e.Name)
	}
}

// next has the first of the operations done in its time, and then the others.
func (l *life) next(ops []operation) {
	if len(ops) == 0 {
		return
	}
	o := ops[0]
	do := func() {
		l.say("%s", o)
		wait := time.Duration(0)
		switch o.what {
		case "upgrade":
			l.upgrade(func() { l.next(ops[1:]) })
			return
		case "update":
			l.update(slices.Clone(o.next), false)
		case "plan":
			l.update(slices.Clone(o.next), true)
		case "refused":
			l.refused(slices.Clone(o.next))
		case "status":
			l.compare(false)
		case "stranger":
			l.stranger()
		case "await":
			l.ask(func() func() {
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				defer cancel()
				l.set.Await(ctx)
				return func() {}
			})
		case "calm":
			l.calm = true
			wait = 400 * time.Second
			l.later(wait-time.Second, func() { l.compare(true) })
		case "stop":
			l.stop(o.limit)
		default:
			l.operate(o)
		}
		if len(ops) > 1 {
			synctest.Wait() // the Set may have begun with what it was asked
			l.sync()
			l.later(wait, func() { l.next(ops[1:]) })
		}
	}
	l.later(o.after, func() { l.at(o.moment, o.while, do) })
}

// update asks for an Update, or for a Plan, and knows the answer.
func (l *life) update(next []Program, dry bool) {
	byName := map[string]*Program{}
	for i := range next {
		byName[next[i].Name] = &next[i]
	}
	if inCircle(next) {
		l.refused(next)
		return
	}
	want := l.differs(byName)
	check := func(c Changes, err error) {
		both := slices.Sorted(slices.Values(slices.Concat(c.Restarted, c.Signalled, c.Held)))
		if err != nil || !slices.Equal(c.Added, want.Added) || !slices.Equal(c.Removed, want.Removed) ||
			!slices.Equal(both, want.Restarted) {
			l.breaks("R4: the answer is %s, %v, and should be %s", c, err, want)
		}
	}
	if dry {
		l.untouched(func() { check(l.set.Plan(context.Background(), next)) })
		return
	}
	l.accept(byName, want)
	set, gen := l.set, l.gen
	l.ask(func() func() {
		c, err := set.Update(context.Background(), next)
		return func() {
			if !errors.Is(err, errStopped) || !l.stopped && gen == l.gen {
				check(c, err)
				l.updated = append(l.updated, l.now())
			}
		}
	})
}

// inCircle says whether programs wait for each other.
func inCircle(programs []Program) bool {
	left := slices.Clone(programs)
	for n := -1; n != len(left); {
		n = len(left)
		left = slices.DeleteFunc(left, func(p Program) bool {
			return !slices.ContainsFunc(left, func(q Program) bool { return slices.Contains(p.needs(), q.Name) })
		})
	}
	return len(left) > 0
}

// refused is for an Update that has something wrong.
func (l *life) refused(next []Program) {
	if !inCircle(next) {
		next = append(next, Program{Name: "g", Command: []string{"relative"}})
	}
	l.untouched(func() {
		if _, err := l.set.Update(context.Background(), next); err == nil {
			l.breaks("R4: an Update is accepted, and should have been refused")
		}
	})
}

// untouched does what is to touch nothing.
func (l *life) untouched(do func()) {
	l.sync()
	before := l.set.Status()
	do()
	if after := l.set.Status(); !reflect.DeepEqual(before, after) {
		l.breaks("R4: what was to touch nothing has: %v, before %v", after, before)
	}
}

// stranger is a child that another part of this process has started, and reaps.
func (l *life) stranger() {
	if l.orphans {
		return // it may not have any
	}
	x := l.spawn("stranger", "", 0, fate{r: l.rnd, life: time.Duration(l.rnd.IntN(1000)) * time.Millisecond}, nil)
	l.later(2*time.Second, func() {
		l.zombies = slices.DeleteFunc(l.zombies, func(y *process) bool { return x == y })
		delete(l.procs, x.pid)
	})
}

func (l *life) stop(limit time.Duration) {
	began := l.now()
	ctx, cancel := context.WithCancel(context.Background())
	if limit > 0 {
		ctx, cancel = context.WithTimeout(context.Background(), limit)
	}
	l.cancel = cancel
	l.halt(began+limit, limit > 0)
	l.ask(func() func() {
		err := l.set.Stop(ctx)
		took := l.now() - began
		return func() {
			l.say("Stop has returned: %v", err)
			l.over, l.downAt = true, l.now()
			switch {
			case limit > 0 && took > limit+500*time.Millisecond, took > 10*time.Minute:
				l.breaks("T1: the stop has taken %v", took)
			}
			l.left(err, limit > 0 && took >= limit)
			if err == nil {
				l.heardAll()
				if len(l.listening) > 0 {
					l.breaks("K1: after the stop there still are %v", l.listening)
				}
			}
		}
	})
}
