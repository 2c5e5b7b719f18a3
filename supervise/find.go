package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What a program needs, and what could not be had when it was given, its user or its environment, is looked for
// whenever something is started. That may be a file on a disk that hangs. So it is done beside the loop, once at a time
// for each Program, and given up like an exec; others are launched meanwhile.

// found is that as it is now, or why it cannot be had.
type found struct {
	user          *User
	env           map[string]string
	noUser, noEnv error
}

func (p *Program) finds() bool {
	return p.FindEnvironment != nil || p.User != nil && p.User.Find != nil
}

func (p *Program) find() *found {
	var f found
	f.user, f.noUser = p.User.found()
	f.env, f.noEnv = p.environment()
	return &f
}

// search is somebody who waits for what is found.
type search struct {
	of    *Program
	then  func(*found)
	got   *found // for a program, until its next turn
	limit alarm
}

// looked is what has come of a look, for all who wait for it.
type looked struct {
	of *Program
	*found
}

func (l *loop) find(p *Program, then func(*found)) *search {
	s := &search{of: p, then: then}
	l.alarms.in(launchPatience, &s.limit, func() { l.giveUpSearch(s) })
	others, looks := l.searches[p]
	l.searches[p] = append(others, s)
	if looks {
		return s
	}
	l.kernel.find(p, func(f *found) {
		select {
		case l.set.requests <- looked{p, f}:
		case <-l.set.ended:
		}
	})
	return s
}

func (l *loop) looked(r looked) {
	searches := l.searches[r.of]
	delete(l.searches, r.of)
	for _, s := range searches {
		l.alarms.off(&s.limit)
		s.then(r.found)
	}
}

// giveUpSearch does not wait for the end of the look, and nor does the next look begin before that.
func (l *loop) giveUpSearch(s *search) {
	searches := l.searches[s.of]
	i := slices.Index(searches, s)
	if i < 0 {
		return
	}
	l.searches[s.of] = slices.Delete(searches, i, i+1)
	l.alarms.off(&s.limit)
	what := "environment"
	if s.of.User != nil && s.of.User.Find != nil {
		what = "user or environment"
	}
	err := fmt.Errorf("its %s cannot be had, as when a disk hangs: not found after %v", what, launchPatience)
	s.then(&found{noUser: err, noEnv: err})
}

func (l *loop) giveUpSearches() {
	var all []*search
	for _, searches := range l.searches {
		all = append(all, searches...)
	}
	slices.SortStableFunc(all, func(s, t *search) int { return strings.Compare(s.of.Name, t.of.Name) })
	for _, s := range all {
		l.giveUpSearch(s)
	}
}

// sought is what p, whose turn has come, needs. Nil: it is being looked for, and p gets another turn.
func (l *loop) sought(p *program) *found {
	x := p.withFeatures()
	if s := x.search; s != nil && s.of == p.spec {
		if s.got != nil {
			x.search = nil
		}
		return s.got
	}
	var s *search
	s = l.find(p.spec, func(f *found) {
		if x.search == s && p.state == queued {
			s.got = f
			l.enqueue(p)
		}
	})
	x.search = s
	return nil
}

// seeks says that p, whose turn has come, gets another.
func (p *program) seeks() bool {
	return p.state == queued && p.features != nil && p.search != nil && p.search.got == nil
}

// seek has what x needs be looked for before it is launched.
func (l *loop) seek(x *launch) {
	l.seeking++
	s := l.find(x.finds, func(f *found) {
		l.seeking--
		x.give(f)
		if x.task != nil {
			x.task.search = nil
		}
		l.launches = append(l.launches, x)
		l.nextLaunch()
	})
	if x.task != nil {
		x.task.search = s
	}
}

// give has a command be what was found for it, beside what it has by itself.
func (c *command) give(f *found) {
	c.finds, c.user, c.own, c.wrong = nil, f.user, f.env, cmp.Or(f.noUser, f.noEnv)
	c.env = append(environ(f.env, f.user), c.env...)
}

// givenRequest asks for those of a set that find what their processes, which run, have been given.
type givenRequest struct {
	next  map[string]*Program
	reply chan []string
}

func (l *loop) given(next map[string]*Program) (names []string) {
	for name, q := range next {
		if p := l.programs[name]; q.finds() && p != nil && p.wanted != nil && p.inForce() != p.wanted {
			names = append(names, name)
		}
	}
	return names
}

// asFound is the set for a comparison with what the processes have been given: the loop does not look at disks. What is
// not found by then leaves its process alone.
func (s *Set) asFound(ctx context.Context, next map[string]*Program) (map[string]*Program, error) {
	finds := func(p *Program) bool { return p.finds() }
	if !slices.ContainsFunc(slices.Collect(maps.Values(next)), finds) {
		return next, nil
	}
	r := givenRequest{next, make(chan []string, 1)}
	if err := s.send(ctx, r); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, launchPatience)
	defer cancel()
	now := maps.Clone(next)
	for name, p := range next {
		if p.finds() {
			now[name] = p.as(&found{noUser: errNotFoundYet, noEnv: errNotFoundYet})
		}
	}
	for _, name := range <-r.reply {
		got := make(chan *found, 1)
		go func() { got <- next[name].find() }()
		select {
		case f := <-got:
			now[name] = next[name].as(f)
		case <-ctx.Done():
		}
	}
	return now, nil
}

var errNotFoundYet = errors.New("not found yet")

// as is p for a comparison: who asks it gets at once what was found.
func (p *Program) as(f *found) *Program {
	q := *p
	if p.FindEnvironment != nil {
		q.FindEnvironment = func() (map[string]string, error) { return f.env, f.noEnv }
	}
	if p.User != nil && p.User.Find != nil {
		q.User = &User{Name: p.User.Name, Find: func() (*User, error) { return f.user, f.noUser }}
	}
	return &q
}

func (l *loop) seeksAny(untried map[string]bool) bool {
	for name := range untried {
		if p := l.programs[name]; p != nil && p.seeks() {
			return true
		}
	}
	return false
}
