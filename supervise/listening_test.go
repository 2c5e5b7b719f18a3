package supervise

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// The sockets of the model, and what has to hold of them: they are the same ones from the first launch of a program on,
// until it does not want them any more; and none is forgotten.

// listen opens what a process is to listen on. One that cannot be started may lack the rest.
func (m *machine) listen(l *launch, x *process) {
	for i := range l.command.listen {
		n := &l.command.listen[i]
		switch has := m.listening[n.Address]; {
		case n.fd >= 0 && has != n.fd:
			m.breaks("K1: %s is given socket %d of %s, which is %d", x, n.fd, n.Address, has)
		case n.fd < 0 && has != 0:
			m.breaks("K1: %s of %s is opened twice", n.Address, x)
		case n.fd < 0 && (x.failing == nil || i == 0):
			m.lastSocket++
			n.fd = m.lastSocket
			m.listening[n.Address] = n.fd
		}
	}
	if r := m.refs[x.name]; r != nil {
		r.rests = l.program.spec.rests()
		r.has = nil
		for _, n := range l.command.listen {
			r.has = append(r.has, n.Address)
		}
	}
}

func (m *machine) closeListener(n *listener) {
	m.sync()
	defer m.sync()
	m.say("  %s is closed", n.Address)
	if m.listening[n.Address] != n.fd {
		m.breaks("K1: socket %d of %s is closed, which is %d", n.fd, n.Address, m.listening[n.Address])
	}
	delete(m.listening, n.Address)
	for _, name := range slices.Sorted(maps.Keys(m.wanted)) {
		p, r := m.wanted[name], m.refs[name]
		if !m.stopped && p.listensOn(n.Address) && slices.Contains(r.has, n.Address) && r.finished == "" && !p.rests() &&
			!r.rests {
			m.breaks("K1: %s is closed, and %s is to have it", n.Address, name)
		}
	}
}

func (p *Program) listensOn(address string) bool { return p.Listen.socket(address) != nil }

// rests says whether a program has no sockets while it is down.
func (p *Program) rests() bool { return p.Listen != nil && (p.Listen.CloseWhenDown || p.Gate != nil) }

// sameSockets is what a running process cannot be given, told by hand.
func (p *Program) sameSockets(q *Program) bool {
	var a, b []string
	for _, x := range []struct {
		to *[]string
		of *Listen
	}{{&a, p.Listen}, {&b, q.Listen}} {
		if x.of != nil {
			*x.to = append(*x.to, "listens")
			for _, s := range x.of.Sockets {
				*x.to = append(*x.to, s.Address+" "+s.Name)
			}
		}
	}
	return slices.Equal(a, b)
}

// compareSockets holds what is listened on against what is to be, at rest.
func (l *life) compareSockets() {
	for _, address := range slices.Sorted(maps.Keys(l.listening)) {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(l.wanted)), func(name string) bool {
			p, r := l.wanted[name], l.refs[name]
			return p.listensOn(address) && r.finished == "" && (!p.rests() || r.x != nil)
		}) {
			l.breaks("K1: %s is listened on, and nobody wants it", address)
		}
	}
	for _, st := range l.set.Status() {
		if p := l.wanted[st.Name]; p != nil && p.Listen != nil && st.State == "up" {
			for _, s := range p.Listen.Sockets {
				if l.listening[s.Address] == 0 {
					l.breaks("K1: %s is up, and %s is closed", st.Name, s.Address)
				}
			}
		}
	}
}

// inventListen lets programs share some addresses.
func inventListen(r *rand.Rand) *Listen {
	n := &Listen{CloseWhenDown: r.IntN(4) == 0}
	for i := range 4 {
		if r.IntN(3) == 0 {
			n.Sockets = append(n.Sockets,
				Socket{Address: fmt.Sprintf("tcp:127.0.0.1:%d", 1+i), Name: []string{"", "other"}[r.IntN(8)/7]})
		}
	}
	return n
}
