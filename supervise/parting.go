package supervise

import "time"

// hear takes what a process has said.
func (l *loop) hear(word any) {
	switch w := word.(type) {
	case notice:
		l.heed(w)
	case gateSaid:
		l.gateSaid(w)
	}
}

// hearLast takes what a process has said before its end is told, or its silence: whoever reads may not have got to it
// yet.
func (l *loop) hearLast(p *program) {
	l.heedEarly()
	for _, n := range l.kernel.lastWords(l, p) {
		l.heed(n)
	}
}

// unlessHeard sets an alarm that is for the silence of a process. What it has said by then comes first, and may put
// that off: the loop may be late, because this process was stopped, or the machine had no time for it.
func (l *loop) unlessHeard(p *program, d time.Duration, a *alarm, ring func()) {
	l.alarms.in(d, a, func() {
		l.alarms.in(0, a, ring)
		l.hearLast(p)
	})
}

// mostLast bounds what is read of one socket: more than there is room for in it, unless others send to it all the time.
// longestLast bounds the wait for descriptors that came along to be closed.
const mostLast, longestLast = 64, 200 * time.Millisecond

// lastWords are those that the reader has, and those that it has not read. What it has of others is left to it.
func (*linux) lastWords(l *loop, p *program) (words []notice) {
	if p.sources == nil || p.features == nil && (p.spec.Ready == nil || p.spec.Ready.FD == 0) {
		return nil
	}
	r := l.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	var others []any
	take := func(word any) {
		if n, ok := word.(notice); ok && n.p == p {
			words = append(words, n)
		} else {
			others = append(others, word)
		}
	}
	for _, word := range r.said {
		take(word)
	}
	r.said = others
	until := time.Now().Add(longestLast)
	for _, s := range p.sources {
		if _, is := s.(*outlet); is {
			continue // output has its own way to its end
		}
		for range mostLast {
			if !r.has(s) {
				break
			}
			more, then := s.read(r)
			for _, word := range more {
				words = append(words, word.(notice))
			}
			if then == finish {
				r.close(s)
			}
			if n, ok := s.(*notifySocket); ok && then == pause {
				if n.dropped(r, until) {
					continue
				}
			}
			if then != goOn {
				break
			}
		}
	}
	return words
}
