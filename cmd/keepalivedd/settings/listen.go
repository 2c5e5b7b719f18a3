package settings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/keepalivedd/keepalivedd/address"
	"github.com/keepalivedd/keepalivedd/config"
)

// Socket is one that the daemon listens on for a program.
type Socket struct {
	// Address is one that [address.Parse] reads. In a dump it may have the marks of instances.
	Address string `toml:"address" is:"required" doc:"where: tcp, tcp6, udp or udp6 with ADDRESS:PORT in numbers, or unix with a path"`
	// Name is the socket's in LISTEN_FDNAMES; zero: the program's.
	Name string `toml:"name" doc:"its name in LISTEN_FDNAMES; that of the section when not set"`
	// Backlog is how many connections may wait; nil: 4096.
	Backlog *int `toml:"backlog" is:"1..1000000" doc:"how many connections may wait to be accepted, if the system allows it (net.core.somaxconn); 4096 when not set"`
	// Mode, Owner and Group are for unix. Without them they are 0660 and the program's own.
	Mode  Mode      `toml:"mode" doc:"of unix: the mode of the file, in octal; 0660 when not set"`
	Owner *User     `toml:"owner" doc:"of unix: whom it belongs to; the program's user when not set"`
	Group GroupName `toml:"group" doc:"of unix: the group it belongs to; the owner's when not set"`
}

// Sockets are in the order of their descriptors.
type Sockets []Socket

func (Sockets) Kind() string { return "list of addresses, or of tables" }

// Mode is that of a file. It may be unset, as its zero value is.
type Mode struct {
	mode uint16
	set  bool
}

// Bits returns the mode; ok is false when none is set.
func (m Mode) Bits() (mode uint32, ok bool) { return uint32(m.mode), m.set }

// UnmarshalText reads an octal number such as "0660".
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 16)
	if err != nil || n > 0o777 || n == 0 {
		return fmt.Errorf(`%q is not a mode; write an octal number up to "0777", such as "0660"`, text)
	}
	*m = Mode{uint16(n), true}
	return nil
}

// MarshalText gives four octal digits, or nothing when no mode is set.
func (m Mode) MarshalText() ([]byte, error) {
	if !m.set {
		return nil, nil
	}
	return fmt.Appendf(nil, "%04o", m.mode), nil
}

func (Mode) Kind() string { return "octal string" }

// Decode fills s from a list, each of which is an address or a table.
func (s *Sockets) Decode(from *config.Value) error {
	if !from.IsList() {
		return fmt.Errorf(`must be a list, ["tcp:0.0.0.0:80"], not %s`, from.Describe())
	}
	if len(from.Items()) == 0 {
		return nil
	}
	*s = make(Sockets, len(from.Items()))
	for i, item := range from.Items() {
		switch to := &(*s)[i]; {
		case item.IsTable():
			item.Decode(to)
		case item.IsString():
			item.Decode(&to.Address)
		default:
			item.Report(fmt.Errorf(`must be an address, "tcp:0.0.0.0:80", or a table, { address = "tcp:0.0.0.0:80" }, not %s`,
				item.Describe()))
		}
	}
	return nil
}

// Table has the keys of one that is a table.
func (Sockets) Table() any { return Socket{} }

// Encode gives an address where that is all.
func (s Socket) Encode() any {
	if s == (Socket{Address: s.Address}) {
		return s.Address
	}
	type table Socket
	return table(s)
}

// mostSockets keeps LISTEN_FDS within what programs can be expected to take.
const mostSockets = 64

// listens refuses what cannot be listened on.
func (p *Program) listens(t *config.Table) {
	if t.Has("listen_when_down") {
		switch {
		case len(p.Listen) == 0 && !t.Mistaken("listen"):
			t.Wrong("listen_when_down", "there is nothing to listen on; remove it, or write listen")
		case *p.ListenWhenDown && p.Gate != nil:
			t.Wrong("listen_when_down",
				"who connects while the gate is shut would wait here, and not find the machine that has it; remove it")
		}
	}
	if len(p.Listen) == 0 || !t.Has("listen") {
		return
	}
	if len(p.Listen) > mostSockets {
		t.Wrong("listen", "%d sockets are too many; at most %d can be passed on", len(p.Listen), mostSockets)
	}
	if free := 3 + len(p.Listen); p.Ready.FD != 0 && p.Ready.FD < free && t.Has("ready") {
		if free > 9 {
			t.Wrong("ready", "descriptor %d is one of those of listen, which are 3 to %d; write \"notify\"", p.Ready.FD, free-1)
		} else {
			t.Wrong("ready", "descriptor %d is one of those of listen, which begin with 3; write \"fd:%d\"", p.Ready.FD, free)
		}
	}
	if p.Type == Oneshot {
		t.Wrong("listen", `nobody would answer once a oneshot is done; remove it, or type = "oneshot"`)
	}
	for i := range p.Listen {
		p.Listen[i].check(p, t.At("listen").Items()[i])
	}
}

// at is where a socket has a key.
func (s *Socket) at(item *config.Value, key string) *config.Value {
	if item.IsTable() {
		return item.At(key)
	}
	if key == "address" {
		return item
	}
	return nil
}

func (s *Socket) check(p *Program, item *config.Value) {
	wrong := func(key, format string, args ...any) {
		if at := s.at(item, key); at != nil {
			at.Report(fmt.Errorf(format, args...))
		}
	}
	numbers := 0
	if p.Instances != nil {
		numbers = *p.Instances
	}
	a, err := address.Parse(s.addressOf(min(numbers, 1)))
	for i := 2; i <= numbers && err == nil; i++ {
		_, err = address.Parse(s.addressOf(i))
	}
	if err != nil {
		if s.Address != "" || s.at(item, "address") != nil {
			wrong("address", "%w", err)
		}
		return
	}
	if strings.IndexFunc(s.Name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) >= 0 ||
		len(s.Name) > maxName {
		wrong("name", `%q cannot name a socket; use at most %d letters, digits and signs, but no ":"`, s.Name, maxName)
	}
	if a.Network != "unix" {
		for _, key := range []string{"mode", "owner", "group"} {
			wrong(key, "is for unix only: nothing of %s has one; remove it", a.Network)
		}
	}
	if a.Datagram() {
		wrong("backlog", "nobody connects to a socket of %s; remove it", a.Network)
	}
	if p.Instances != nil &&
		(s.Owner != nil && strings.Contains(s.Owner.spec, "%") || strings.Contains(s.Group.spec, "%")) {
		wrong("owner", "must be the same for all instances; remove it, for it is the program's user then")
		wrong("group", "must be the same for all instances; remove it, for it is the owner's then")
	}
}

// addressOf is the address of an instance; 0: there are none.
func (s *Socket) addressOf(instance int) string {
	if instance == 0 {
		return s.Address
	}
	return marksFor(strconv.Itoa(instance)).Replace(s.Address)
}

// listens refuses two sections, or two sockets of one program, that would listen on the same. Instances of one section
// share a socket.
func (l *loader) listens(programs []Program) {
	type user struct {
		address.Address
		program *Program
		section string
	}
	by := map[string][]user{} // port, or path
	told := map[*config.Value]bool{}
	for i := range programs {
		p := &programs[i]
		if p.Settings == nil || len(p.Listen) == 0 {
			continue
		}
		section, _ := p.section()
		n := l.Root.At("program", section, "listen")
		for j := range p.Listen {
			a, err := address.Parse(p.Listen[j].Address)
			if err != nil || n == nil || len(n.Items()) <= j {
				continue
			}
			at := p.Listen[j].at(n.Items()[j], "address")
			place := a.Path
			if a.Network != "unix" {
				place = fmt.Sprint(a.Network, a.IP.Port())
			}
			known := false
			for _, u := range by[place] {
				if !u.Overlaps(a) || at == nil || told[at] {
					continue
				}
				switch known = known || u.Address == a; {
				case u.program == p || u.section == section && u.Address != a:
					told[at] = true
					at.Report(fmt.Errorf("%s, of the same program, has it already; remove one", u.Address))
				case u.section != section:
					told[at] = true
					at.Report(fmt.Errorf("program %s listens on %s, and only the instances of one section share a socket",
						u.section, u.Address))
				}
			}
			if !known {
				by[place] = append(by[place], user{a, p, section})
			}
		}
	}
}

// listen looks whether a socket can be had.
func (k *looker) listen(p *Program, s *Socket, item *config.Value) {
	a, err := address.Parse(s.Address)
	if err != nil {
		return
	}
	at := s.at(item, "address")
	if a.Network == "unix" {
		k.path(p.Name, at, sight{aPIDFile, a.Path})
	} else {
		k.lack(p.Name, at, k.rights.listen(int(a.IP.Port())), nil)
	}
	if k.seen[sight{aPIDFile, a.Path}] == nil {
		k.lack(p.Name, at, k.listening.Probe(a), func() error { return new(address.Table).Probe(a) })
	}
	if u := s.Owner; u != nil && (p.Instances == nil || !strings.Contains(u.spec, "%")) {
		k.lackUser(p.Name, s.at(item, "owner"), u, k.rights.own)
	}
	if s.Group != (GroupName{}) {
		again := func() error { return k.rights.give(s.Group) }
		k.lack(p.Name, s.at(item, "group"), again(), again)
	}
}

// isInUse tells what only looks like something that is lacking where the daemon that runs has it,
// which its user can tell.
func isInUse(err error) bool { return errors.As(err, new(*address.InUseError)) }
