package supervise

import (
	"slices"
	"strings"

	"github.com/keepalivedd/keepalivedd/cycle"
)

// needs are the programs that come before p.
func (p *Program) needs() []string {
	if p.Order == nil {
		return nil
	}
	return slices.Concat(p.Order.After, p.Order.Requires)
}

// circle returns programs that wait for each other, first and last the same; nil when there are none.
func circle(programs map[string]*Program) []string {
	needs := map[string][]string{}
	for name, p := range programs {
		if p.Order != nil {
			needs[name] = p.needs()
		}
	}
	for _, c := range cycle.Find(needs) {
		return c
	}
	return nil
}

func arrow(names []string) string { return strings.Join(names, " needs ") }

// orderAllows reports whether all that p comes after are there. One that is about to be something else is not. It
// begins with the one that was not there the last time, so that a program does not look at all of a thousand for each
// of them.
func (l *loop) orderAllows(p *program) bool {
	o := p.wanted.Order
	if o == nil {
		return true
	}
	n := len(o.After) + len(o.Requires)
	for k := range n {
		i := (int(p.missing) + k) % n
		if i < len(o.After) && !l.allows(o.After[i]) || i >= len(o.After) && !l.satisfies(o.Requires[i-len(o.After)]) {
			p.missing = int32(i)
			return false
		}
	}
	return true
}

// allows reports whether what comes after a program may be started.
func (l *loop) allows(name string) bool {
	q := l.programs[name]
	return q == nil || !q.isChanging() && (q.state == up || q.state == held || q.outcome != unfinished)
}

// satisfies reports whether what requires a program may be started.
func (l *loop) satisfies(name string) bool {
	q := l.programs[name]
	return q != nil && !q.isChanging() && (q.state == up || q.outcome == succeeded)
}

// isChanging reports whether p is to stop, for good, for a while, or to run anew or as something else.
func (p *program) isChanging() bool { return p.wanted != p.spec || p.leaves }

// dependent is a program that comes after another for as long as it is spec.
type dependent struct {
	*program
	spec *Program
}

// outlives reports whether a program that comes after p, and is to stop too, still runs; p.holder is that one then.
// Those that were told to stop later are not waited for: a newer set of programs may have turned the order round, and
// nobody is to wait in a circle. So whoever is not waited for once never is again,
// and p.passed says how many there are.
func (l *loop) outlives(p *program) bool {
	list := l.after[p.spec.Name]
	for ; int(p.passed) < len(list); p.passed++ {
		d := list[p.passed]
		if d.isChanging() && (d.state.running() || d.state.underWay()) && d.stop <= p.stop && d.spec == d.program.spec {
			p.holder = d.program
			return true
		}
	}
	return false
}

// readmitDependents has those look again who wait for p to come up, or to go.
func (l *loop) readmitDependents(p *program) {
	for _, d := range l.after[p.spec.Name] {
		if d.state == blocked {
			l.admit(d.program)
		}
	}
}

// releaseLingering has those stop who have waited for the end of the process of p, which ran as spec.
func (l *loop) releaseLingering(p *program, spec *Program) {
	for _, name := range spec.needs() {
		q := l.programs[name]
		if q != nil && q.state == lingering && (q.holder == nil || q.holder == p) && !l.outlives(q) {
			l.on(q, unblocked)
		}
	}
}

// order notes who comes after whom: in the order that is to be, and, of those that are yet to stop, in that which was.
func (l *loop) order() {
	l.stops++
	for _, p := range l.programs {
		p.passed, p.holder = 0, nil
	}
	l.noteOrder()
}

func (l *loop) noteOrder() {
	l.after = nil
	note := func(p *program, spec *Program) {
		for _, n := range spec.needs() {
			if l.after == nil {
				l.after = map[string][]dependent{}
			}
			l.after[n] = append(l.after[n], dependent{p, spec})
		}
	}
	for _, p := range l.inOrder() {
		if p.wanted != nil {
			note(p, p.wanted)
		}
		if p.wanted != p.spec {
			note(p, p.spec)
		}
	}
}
