package supervise

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/keepalivedd/keepalivedd/address"
)

// Listen is the sockets that a program gets as descriptors, from 3 on and in their order, by systemd's protocol:
// LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES, see sd_listen_fds(3). The Set listens on them from the first start of the
// program on. They are the same ones for each of its processes, and those who connect meanwhile wait, until the program
// has been removed or has ended for good. For a Set with Options.Helper.
type Listen struct {
	Sockets []Socket
	// CloseWhenDown closes them while the program has no process. Of a program with a Gate they are closed then anyway:
	// who connects is to find the machine that has the permission.
	CloseWhenDown bool
}

// Socket is one to listen on. Programs that name the same address share it, and say the same of it.
type Socket struct {
	Address string // as [address.Parse] reads it
	Name    string // for LISTEN_FDNAMES; zero: the program's, up to a colon
	Backlog int    // how many connections may wait; zero: 4096. The system may allow less (net.core.somaxconn)

	// The rest is for unix. A socket that is left over at its path, and belongs to this process's user or to Owner, is
	// replaced; whatever else is there is the program's failure.
	Mode      uint32                      // zero: 0660
	Owner     *User                       // nil: the program's
	Group     string                      // zero: that of the Owner
	FindGroup func() (gid int, err error) `json:"-"` // of Group
}

// Bounds of Listen.
const (
	mostSockets    = 64
	defaultBacklog = 4096
	defaultMode    = 0o660
	firstListened  = 3 // SD_LISTEN_FDS_START
)

// check finds what is wrong in the sockets of a program.
func (n *Listen) check(r *Ready) error {
	if n == nil {
		return nil
	}
	var errs []error
	if len(n.Sockets) > mostSockets {
		errs = append(errs, fmt.Errorf("listen: %d sockets are more than %d", len(n.Sockets), mostSockets))
	}
	if after := firstListened + len(n.Sockets); r != nil && r.FD > 0 && r.FD < after {
		errs = append(errs, fmt.Errorf("ready: descriptor %d is one of those of listen, which are below %d", r.FD, after))
	}
	for i, s := range n.Sockets {
		if _, err := address.Parse(s.Address); err != nil {
			errs = append(errs, fmt.Errorf("listen: %w", err))
		}
		if strings.ContainsAny(s.Name, ":\x00") {
			errs = append(errs, fmt.Errorf("listen: %s: the name %q must not have a colon", s.Address, s.Name))
		}
		if slices.ContainsFunc(n.Sockets[:i], func(t Socket) bool { return t.Address == s.Address }) {
			errs = append(errs, fmt.Errorf("listen: %s: it is there twice", s.Address))
		}
	}
	return errors.Join(errs...)
}

// checkShared refuses programs that do not say the same of a socket that they share.
func checkShared(programs []Program) (errs []error) {
	first := map[string]*Program{}
	for i := range programs {
		p := &programs[i]
		if p.Listen == nil {
			continue
		}
		for _, s := range p.Listen.Sockets {
			q := first[s.Address]
			if q == nil {
				first[s.Address] = p
			} else if q != p &&
				(!s.bindsAs(q.Listen.socket(s.Address)) || s.Owner == nil && !p.User.same(q.User) && isPath(s.Address)) {
				errs = append(errs,
					fmt.Errorf("program %s: listen: %s: program %s says something else of it", p.Name, s.Address, q.Name))
			}
		}
	}
	return errs
}

func isPath(addr string) bool { return strings.HasPrefix(addr, "unix:") }

// socket is that of an address; nil: there is none.
func (n *Listen) socket(addr string) *Socket {
	if n == nil {
		return nil
	}
	i := slices.IndexFunc(n.Sockets, func(s Socket) bool { return s.Address == addr })
	if i < 0 {
		return nil
	}
	return &n.Sockets[i]
}

// same reports whether a process that was given n can do with m.
func (n *Listen) same(m *Listen) bool {
	if n == nil || m == nil {
		return n == m
	}
	return slices.EqualFunc(n.Sockets, m.Sockets, func(s, t Socket) bool { return s.Name == t.Name && s.bindsAs(&t) })
}

func (s Socket) bindsAs(t *Socket) bool {
	return s.Address == t.Address && s.Backlog == t.Backlog && s.Mode == t.Mode && s.Owner.same(t.Owner) &&
		s.Group == t.Group
}

func (n *Listen) closesWhenDown() bool { return n != nil && n.CloseWhenDown }

// sockets are all that programs listen on, by address. Only the loop touches them: a launch opens copies of those of
// its program, which are taken over when it has landed.
type sockets map[string]*socket

type socket struct {
	listener
	users []*program // who have it, or are about to
}

// A listener is a descriptor that is listened on, and its name.
type listener struct {
	Socket
	fd       int    // -1: it is not open
	dev, ino uint64 // of its name in the file system, for unix
	shared   bool   // another process has it
}

// lend gives a launch of p what it is to listen on.
func (l *loop) lend(p *program, c *command) {
	n := p.spec.Listen
	if n == nil {
		return
	}
	names := make([]string, len(n.Sockets))
	for i, want := range n.Sockets {
		s := l.sockets[want.Address]
		if s == nil {
			s = &socket{listener: listener{fd: -1}}
			l.sockets[want.Address] = s
		}
		if !slices.Contains(s.users, p) {
			s.users = append(s.users, p)
		}
		lent := s.listener
		lent.Socket = want
		if lent.Owner == nil {
			lent.Owner = p.spec.User
		}
		lent.shared = slices.ContainsFunc(s.users, func(q *program) bool { return q != p && q.pid != 0 })
		c.listen = append(c.listen, lent)
		section, _, _ := strings.Cut(p.spec.Name, ":")
		names[i] = cmp.Or(want.Name, section)
	}
	c.env = slices.DeleteFunc(c.env, func(v string) bool { return strings.HasPrefix(v, "LISTEN_") })
	c.env = append(c.env, fmt.Sprintf("LISTEN_FDS=%d", len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
}

// takeBack notes what a launch has opened, whether it has succeeded or not.
func (l *loop) takeBack(lent []listener) {
	for _, n := range lent {
		l.sockets[n.Address].listener = n
	}
}

// giveUpSockets has p listen no more on what n has, but for what next has too. What nobody listens on is closed.
func (l *loop) giveUpSockets(p *program, n, next *Listen) {
	if n == nil {
		return
	}
	for _, s := range n.Sockets {
		if next.socket(s.Address) == nil {
			l.giveUpSocket(p, s.Address)
		}
	}
}

func (l *loop) giveUpSocket(p *program, addr string) {
	s := l.sockets[addr]
	if s == nil {
		return
	}
	s.users = slices.DeleteFunc(s.users, func(q *program) bool { return q == p })
	if len(s.users) > 0 {
		return
	}
	delete(l.sockets, addr)
	if s.fd >= 0 {
		l.kernel.closeListener(&s.listener)
	}
}

// handOnSockets is for programs that are about to be something else: what is listened on for one and is to be for
// another, which it may only have been renamed to, stays as it is. What was to be for one by an earlier Update, and is
// not any more, is closed.
func (l *loop) handOnSockets(names []string) {
	for _, name := range names {
		p := l.programs[name]
		n := p.wanted.Listen
		if n == nil || n.CloseWhenDown || p.wanted.Gate != nil {
			continue
		}
		for _, want := range n.Sockets {
			if s := l.sockets[want.Address]; s != nil && !slices.Contains(s.users, p) {
				s.users = append(s.users, p)
			}
		}
	}
	for addr, s := range l.sockets {
		for _, p := range slices.Clone(s.users) {
			if p.spec.Listen.socket(addr) == nil && (p.wanted == nil || p.wanted.Listen.socket(addr) == nil) {
				l.giveUpSocket(p, addr)
			}
		}
	}
}

// rested is for a program without a process, whose sockets may not outlive that.
func (l *loop) rested(p *program) {
	if n := p.spec.Listen; n != nil && (n.CloseWhenDown || p.spec.Gate != nil) {
		l.giveUpSockets(p, n, nil)
	}
}

// closeSockets is for the end of the Set.
func (l *loop) closeSockets() {
	for name, s := range l.sockets {
		delete(l.sockets, name)
		if s.fd >= 0 {
			l.kernel.closeListener(&s.listener)
		}
	}
}

// ListenStatus is how it is with a socket of a program.
type ListenStatus struct {
	Address string `json:"address"`
	Open    bool   `json:"open"` // it is listened on, whether the program runs or not
}

func (l *loop) listening(p *program) (all []ListenStatus) {
	if p.spec.Listen == nil {
		return nil
	}
	for _, want := range p.spec.Listen.Sockets {
		s := l.sockets[want.Address]
		all = append(all, ListenStatus{want.Address, s != nil && s.fd >= 0})
	}
	return all
}
