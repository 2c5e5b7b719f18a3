package supervise

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Changes is what an Update does, by name, in order.
type Changes struct {
	Added     []string
	Restarted []string // stopped, and started as what they are now
	// Signalled have got their ReloadSignal in place of a restart. Their processes keep the environment that they have
	// until they are restarted.
	Signalled []string
	Held      []string // taken on, and started as what they are now when their hold is lifted
	// Adjusted have new settings that no restart is needed for, such as Resources and Restart; what runs goes on.
	Adjusted []string
	Removed  []string
	// Failed are the programs whose start has been tried in the course of it and could not be had, each once. They are
	// tried again like a program that dies.
	Failed []*LaunchError
}

// A LaunchError is why a program could not be started: news of that program, and no refusal.
type LaunchError struct {
	Name string
	Err  error
}

func (e *LaunchError) Error() string { return "program " + e.Name + ": " + e.Err.Error() }
func (e *LaunchError) Unwrap() error { return e.Err }

// Bounds of what is said in a line.
const (
	mostNames  = 20
	mostFailed = 5
)

// String tells it in a line: "+web ~api -old", and what else there is to say.
func (c Changes) String() string {
	var words []string
	for _, group := range [...]struct {
		sign  string
		names []string
	}{{"+", c.Added}, {"~", c.Restarted}, {"!", c.Signalled}, {"=", c.Held}, {"*", c.Adjusted}, {"-", c.Removed}} {
		for _, name := range group.names {
			words = append(words, group.sign+name)
		}
	}
	if more := len(words) - mostNames; more > 0 {
		words = append(words[:mostNames:mostNames], fmt.Sprintf("and %d more", more))
	}
	said := strings.Join(words, " ")
	if said == "" {
		said = "no program changed"
	}
	if len(c.Signalled) > 0 {
		said += " (! is signalled, and keeps its old environment until it is restarted)"
	}
	if len(c.Held) > 0 {
		said += " (= is held: taken on, and started once it is not)"
	}
	if len(c.Adjusted) > 0 {
		said += " (* has new settings, and needed no restart for them)"
	}
	var failed []string
	for _, e := range c.Failed[:min(len(c.Failed), mostFailed)] {
		failed = append(failed, fmt.Sprintf("%s (%v)", e.Name, e.Err))
	}
	if more := len(c.Failed) - mostFailed; more > 0 {
		failed = append(failed, fmt.Sprintf("and %d more", more))
	}
	if len(failed) > 0 {
		said += "; could not be started: " + strings.Join(failed, ", ")
	}
	return said
}

// plan compares two sets; same are those that are left alone. What a running process cannot take on makes it changed,
// which is Restarted here; policy, such as Restart, does not.
func plan(old, next map[string]*Program) (c Changes, same []string) {
	for name := range old {
		if next[name] == nil {
			c.Removed = append(c.Removed, name)
		}
	}
	for name, p := range next {
		switch was := old[name]; {
		case was == nil:
			c.Added = append(c.Added, name)
		case was.sameProcess(p):
			same = append(same, name)
			stays := func(name string) bool { return old[name] != nil && next[name] != nil }
			if !was.sameSettings(p) || !was.Order.same(p.Order, stays) {
				c.Adjusted = append(c.Adjusted, name)
			}
		default:
			c.Restarted = append(c.Restarted, name)
		}
	}
	for _, names := range [][]string{c.Removed, c.Added, c.Restarted, c.Adjusted} {
		slices.SortFunc(names, compareNames)
	}
	return c, same
}

// compareNames is the order in which programs are told of: NAME:2 comes before NAME:10.
func compareNames(a, b string) int {
	if i := strings.IndexByte(a, ':'); i >= 0 && len(a) != len(b) && len(b) > i && a[:i+1] == b[:i+1] {
		return cmp.Compare(len(a), len(b))
	}
	return strings.Compare(a, b)
}

// sameProcess reports whether a process that runs as p is right for q too.
func (p *Program) sameProcess(q *Program) bool {
	return p.sameButEnvironment(q) && p.sameEnvironment(q)
}

// sameButEnvironment leaves out the one thing that a process may be told of by a signal.
func (p *Program) sameButEnvironment(q *Program) bool {
	return slices.Equal(p.Command, q.Command) && p.Directory == q.Directory && p.User.same(q.User) &&
		reflect.DeepEqual(p.Setup, q.Setup) && reflect.DeepEqual(p.Ready, q.Ready) &&
		p.Output == q.Output && p.OneShot == q.OneShot && slices.Equal(p.gateCommand(), q.gateCommand()) &&
		p.Listen.same(q.Listen) &&
		p.Kill == q.Kill // a part of its environment
}

// sameSettings reports whether what is of no concern to a process that runs is the same.
func (p *Program) sameSettings(q *Program) bool {
	return p.RateLimit == q.RateLimit && p.Held == q.Held && p.Required == q.Required && p.Essential == q.Essential &&
		p.Restart == q.Restart && p.Backoff.orDefault() == q.Backoff.orDefault() && equal(p.GiveUp, q.GiveUp) &&
		slices.Equal(p.PermanentExit, q.PermanentExit) &&
		reflect.DeepEqual(p.Check, q.Check) && reflect.DeepEqual(p.Gate, q.Gate) && reflect.DeepEqual(p.Hook, q.Hook) &&
		p.Resources.same(q.Resources) && p.stopSignal() == q.stopSignal() && p.stopTimeout() == q.stopTimeout() &&
		p.ReloadSignal == q.ReloadSignal && p.Listen.closesWhenDown() == q.Listen.closesWhenDown()
}

// same compares what is said of those who stay: of who comes and goes is told already.
func (o *Order) same(q *Order, stays func(name string) bool) bool {
	staying := func(o *Order) (after, requires []string) {
		if o == nil {
			return nil, nil
		}
		goes := func(name string) bool { return !stays(name) }
		return slices.DeleteFunc(slices.Clone(o.After), goes), slices.DeleteFunc(slices.Clone(o.Requires), goes)
	}
	after, requires := staying(o)
	after2, requires2 := staying(q)
	return slices.Equal(after, after2) && slices.Equal(requires, requires2)
}

func equal[T comparable](p, q *T) bool { return p == q || p != nil && q != nil && *p == *q }

// What q would have to find it is asked for where that is known of p, a process. Where it cannot be found now the
// process is left alone.

func (p *Program) sameEnvironment(q *Program) bool {
	if (p.FindEnvironment == nil) == (q.FindEnvironment == nil) {
		return maps.Equal(p.Environment, q.Environment)
	}
	now, err := q.environment()
	return p.FindEnvironment == nil && (err != nil || maps.Equal(p.Environment, now))
}

func (u *User) same(v *User) bool {
	if u == nil || v == nil {
		return u == v
	}
	if u.Find == nil && v.Find != nil {
		now, err := v.found()
		if err != nil {
			return true
		}
		v = now
	}
	return u.Name == v.Name && (u.Find == nil) == (v.Find == nil) && u.UID == v.UID && u.GID == v.GID &&
		slices.Equal(u.Groups, v.Groups) && u.Home == v.Home && u.Shell == v.Shell
}

// plan is what would lead from what the programs are to be now to the next set.
func (l *loop) plan(next map[string]*Program) (c Changes, same []string) {
	old := make(map[string]*Program, len(l.programs))
	for name, p := range l.programs {
		if p.wanted != nil {
			old[name] = p.inForce()
		}
	}
	c, same = plan(old, next)
	c.Restarted = slices.DeleteFunc(c.Restarted, func(name string) bool {
		if l.programs[name].held() {
			c.Held = append(c.Held, name)
			return true
		}
		signalled := l.programs[name].takesOn(next[name])
		if signalled {
			c.Signalled = append(c.Signalled, name)
		}
		return signalled
	})
	start := func(name string) bool {
		lifted := l.programs[name].lifted(next[name])
		if lifted {
			c.Restarted = append(c.Restarted, name)
		}
		return lifted
	}
	same, c.Held = slices.DeleteFunc(same, start), slices.DeleteFunc(c.Held, start)
	c.Adjusted = slices.DeleteFunc(c.Adjusted, func(name string) bool { return l.programs[name].lifted(next[name]) })
	c.Added = slices.DeleteFunc(c.Added, func(name string) bool {
		if next[name].Held {
			c.Held = append(c.Held, name)
		}
		return next[name].Held
	})
	slices.SortFunc(c.Restarted, compareNames)
	slices.SortFunc(c.Held, compareNames)
	return c, same
}

// lifted says whether p is held by the configuration, and next is not.
func (p *program) lifted(next *Program) bool { return p.held() && p.hold.Configuration && !next.Held }

// inForce is what p is to be. Of a process that was given what had to be found first it has that; the next one may be
// given something else.
func (p *program) inForce() *Program {
	if p.features == nil || p.given == nil || p.spec != p.wanted || p.pid == 0 && !p.state.underWay() {
		return p.wanted
	}
	now := *p.spec // which may have other settings by now
	now.User, now.Environment, now.FindEnvironment = p.given.User, p.given.Environment, nil
	return &now
}

// give notes what was found for the process of p.
func (p *program) give(c command) {
	spec := p.spec
	switch {
	case spec.FindEnvironment != nil || spec.User != nil && spec.User.Find != nil:
		given := *spec
		given.User, given.Environment, given.FindEnvironment = c.user, c.own, nil
		p.withFeatures().given = &given
	case p.features != nil:
		p.given = nil
	}
}

// takesOn says whether a signal is enough to turn the process of p into next. One that is not ready yet may not know
// what to do with a signal.
func (p *program) takesOn(next *Program) bool {
	return next.ReloadSignal != 0 && p.state == up && p.pid != 0 && p.spec == p.wanted &&
		p.inForce().sameButEnvironment(next)
}
