package supervise

import (
	"slices"
	"strings"
)

// needs are the programs that come before p.
func (p *Program) needs() []string {
	if p.Order == nil {
		return nil
	}
	return slices.Concat(p.Order.After, p.Order.Requires)
}

// cycle returns programs that wait for each other, first and last the same; nil when there are none.
func cycle(programs map[string]*Program) []string {
	const (
		unseen = iota
		open
		closed
	)
	mark := make(map[string]int8)
	var path []string
	var visit func(name string) []string
	visit = func(name string) []string {
		switch mark[name] {
		case open:
			return append(slices.Clone(path[slices.Index(path, name):]), name)
		case closed:
			return nil
		}
		p := programs[name]
		if p == nil || p.Order == nil {
			return nil
		}
		mark[name] = open
		path = append(path, name)
		for _, n := range p.needs() {
			if c := visit(n); c != nil {
				return c
			}
		}
		path = path[:len(path)-1]
		mark[name] = closed
		return nil
	}
	for name := range programs {
		if c := visit(name); c != nil {
			return c
		}
	}
	return nil
}

func arrow(names []string) string { return strings.Join(names, " needs ") }

// clearOfOthers reports whether all that p comes after are there.
func (l *loop) clearOfOthers(p *program) bool {
	if p.wanted.Order == nil {
		return true
	}
	for _, name := range p.wanted.Order.After {
		if q := l.programs[name]; q != nil && q.state != up && q.outcome == open {
			return false
		}
	}
	for _, name := range p.wanted.Order.Requires {
		if q := l.programs[name]; q == nil || q.state != up && q.outcome != done {
			return false
		}
	}
	return true
}

// outlives reports whether a program that comes after p, and is to be gone, still runs.
func (l *loop) outlives(p *program) bool {
	return slices.ContainsFunc(l.after[p.spec.Name], func(name string) bool {
		q := l.programs[name]
		return q != nil && q.wanted == nil && q.state.running()
	})
}

// tellOthers has those look again who wait for p to come up, or to go.
func (l *loop) tellOthers(p *program) {
	for _, name := range l.after[p.spec.Name] {
		if q := l.programs[name]; q != nil && q.state == blocked {
			l.admit(q)
		}
	}
	if p.spec.Order == nil {
		return
	}
	for _, name := range p.spec.needs() {
		if q := l.programs[name]; q != nil && q.state == lingering && !l.outlives(q) {
			l.on(q, clear)
		}
	}
}

// order notes who comes after whom.
func (l *loop) order(programs map[string]*Program) {
	l.after = nil
	for name, p := range programs {
		for _, n := range p.needs() {
			if l.after == nil {
				l.after = map[string][]string{}
			}
			l.after[n] = append(l.after[n], name)
		}
	}
}
