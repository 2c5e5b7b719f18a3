//go:build linux

package address

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Table is who listens where, in the network of this process. What it is asked for it reads once, the first time: it
// tells of that moment, and costs next to nothing until then. The zero value is ready. It may be used by several
// goroutines.
type Table struct {
	mu      sync.Mutex
	sockets map[string][]socket // by the file in /proc/net
	near    map[uint64][]Holder // by inode: this process and its parent; nil: not read yet
	holders map[uint64][]Holder // all others too; nil: not read yet
}

type socket struct {
	ip    netip.AddrPort
	path  string
	inode uint64
}

// Holder is a process that has a socket open.
type Holder struct {
	PID  int
	Name string // of its executable, as the kernel has it
}

// InUseError says that somebody has an address.
type InUseError struct {
	Address Address
	// Holders are told by PID. Those that this process may not look at are left out; and where this process or its
	// parent has it, all others are.
	Holders []Holder
}

func (e *InUseError) Error() string {
	who := "another process"
	switch n := len(e.Holders); {
	case n == 0 && os.Geteuid() != 0:
		who = "a process that only root can see"
	case n > 0:
		who = fmt.Sprintf("%s (pid %d)", e.Holders[0].Name, e.Holders[0].PID)
		if n > 1 {
			who += fmt.Sprintf(" and %d more", n-1)
		}
	}
	return fmt.Sprintf("%s: the address is in use by %s", e.Address, who)
}

// Is makes of it EADDRINUSE, and, where only root could tell by whom, [fs.ErrPermission].
func (e *InUseError) Is(target error) bool {
	return target == unix.EADDRINUSE || target == fs.ErrPermission && len(e.Holders) == 0 && os.Geteuid() != 0
}

// Probe tells why an address cannot be listened on, as far as looking can tell: nothing is done that could be in the
// way of whoever is about to listen there. An *[InUseError] says who has it; nil: nobody, and nothing else is wrong.
func (t *Table) Probe(a Address) error {
	if a.Network == "unix" {
		return t.probePath(a)
	}
	if err := t.probeIP(a); err != nil {
		return err
	}
	if err := bindable(a, 0); err != nil { // at a port that is free, so that it is about the address
		if errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("%s: this machine has no such address: %w", a, err)
		}
		return fmt.Errorf("%s: %w", a, err)
	}
	return nil
}

func (t *Table) probeIP(a Address) error {
	if inodes := t.inodes(a, false); len(inodes) > 0 {
		return &InUseError{a, t.whose(inodes)}
	}
	// Who listens on all addresses of IPv6 may do so on those of IPv4 too, which /proc does not tell.
	if inodes := t.inodes(a, true); len(inodes) > 0 && errors.Is(bindable(a, a.IP.Port()), unix.EADDRINUSE) {
		return &InUseError{a, t.whose(inodes)}
	}
	return nil
}

func (t *Table) probePath(a Address) error {
	var st unix.Stat_t
	switch err := unix.Lstat(a.Path, &st); {
	case errors.Is(err, unix.ENOENT):
		return nil // whether a file can be made there is another matter
	case err != nil:
		return fmt.Errorf("%s: %w", a.Path, err)
	case st.Mode&unix.S_IFMT != unix.S_IFSOCK:
		return fmt.Errorf("%s: what is there is not a socket, and is left alone: remove it", a.Path)
	}
	if inodes := t.inodes(a, false); len(inodes) > 0 && !abandoned(a.Path) {
		return &InUseError{a, t.whose(inodes)}
	}
	return nil // it is stale
}

// abandoned reports whether no socket has this name any more. /proc/net/unix tells names as they are, with newlines: so
// whoever gives his socket one that goes on like a line of it has whatever path he likes be listened on. To connect a
// socket for datagrams fails in another way where there is one that listens, which does not notice.
func abandoned(path string) bool {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return errors.Is(unix.Connect(fd, &unix.SockaddrUnix{Name: path}), unix.ECONNREFUSED)
}

// InUse is the error for an address that could not be bound because somebody has it.
func (t *Table) InUse(a Address) *InUseError {
	inodes := append(t.inodes(a, false), t.inodes(a, true)...)
	return &InUseError{a, t.whose(inodes)}
}

// bindable tells why an address cannot be bound at a port. Nobody can connect meanwhile.
func bindable(a Address, port uint16) error {
	fd, err := Open(a)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	a.IP = netip.AddrPortFrom(a.IP.Addr(), port)
	return unix.Bind(fd, a.Sockaddr())
}

// inodes are the sockets that are in the way of listening on a; perhaps: of those only that may be.
func (t *Table) inodes(a Address, perhaps bool) (inodes []uint64) {
	file := a.Network
	if perhaps {
		if file += "6"; a.Network != "tcp" && a.Network != "udp" {
			return nil
		}
	}
	for _, s := range t.listening(file) {
		is := a.Path == s.path
		switch at := (Address{Network: a.Network, IP: s.ip}); {
		case a.Network == "unix":
		case perhaps:
			is = s.ip.Port() == a.IP.Port() && s.ip.Addr().IsUnspecified()
		default:
			is = at.Overlaps(a)
		}
		if is {
			inodes = append(inodes, s.inode)
		}
	}
	return inodes
}

// listening reads a file of /proc/net.
func (t *Table) listening(file string) []socket {
	t.mu.Lock()
	defer t.mu.Unlock()
	if list, known := t.sockets[file]; known {
		return list
	}
	var list []socket
	if f, err := os.Open("/proc/net/" + file); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			read := parseInet
			if file == "unix" {
				read = parseUnix
			}
			if s, ok := read(lines.Text()); ok {
				list = append(list, s)
			}
		}
	}
	if t.sockets == nil {
		t.sockets = map[string][]socket{}
	}
	t.sockets[file] = list
	return list
}

// parseInet reads a line of /proc/net/tcp and the like, proc_pid_net(5): of TCP those that listen.
func parseInet(line string) (s socket, ok bool) {
	const listens, unconnected = "0A", "07"
	f := strings.Fields(line)
	if len(f) < 10 || f[3] != listens && f[3] != unconnected {
		return s, false
	}
	host, port, _ := strings.Cut(f[1], ":")
	var b []byte
	for ; len(host) >= 8; host = host[8:] { // words of 32 bits in the order of the machine
		n, err := strconv.ParseUint(host[:8], 16, 32)
		if err != nil {
			return s, false
		}
		b = binary.NativeEndian.AppendUint32(b, uint32(n))
	}
	ip, isIP := netip.AddrFromSlice(b)
	number, err := strconv.ParseUint(port, 16, 16)
	inode, err2 := strconv.ParseUint(f[9], 10, 64)
	return socket{ip: netip.AddrPortFrom(ip, uint16(number)), inode: inode}, isIP && err == nil && err2 == nil
}

// parseUnix reads a line of /proc/net/unix: those that listen and have a path.
func parseUnix(line string) (s socket, ok bool) {
	const acceptsConnections = 1 << 16
	f := strings.Fields(line)
	if len(f) < 8 {
		return s, false
	}
	flags, err := strconv.ParseUint(f[3], 16, 64)
	inode, err2 := strconv.ParseUint(f[6], 10, 64)
	_, path, _ := strings.Cut(line, " "+f[6]+" ") // it may have spaces
	return socket{path: path, inode: inode}, err == nil && err2 == nil && flags&acceptsConnections != 0
}

// whose are the processes that have one of the sockets open. Who listens asks about what it has itself, at each reload;
// so does its child in an upgrade. They are not to wait for a look at all descriptors of ten thousand processes.
func (t *Table) whose(inodes []uint64) (holders []Holder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.near == nil {
		t.near = map[uint64][]Holder{}
		readHolders(t.near, os.Getpid())
		if parent := os.Getppid(); parent > 1 {
			readHolders(t.near, parent)
		}
	}
	of := t.near
	if slices.ContainsFunc(inodes, func(inode uint64) bool { return of[inode] == nil }) {
		if t.holders == nil {
			t.holders = readAllHolders()
		}
		of = t.holders
	}
	names := map[int]string{}
	for _, inode := range inodes {
		for _, h := range of[inode] {
			names[h.PID] = h.Name
		}
	}
	for _, pid := range slices.Sorted(maps.Keys(names)) {
		holders = append(holders, Holder{pid, names[pid]})
	}
	return holders
}

func readAllHolders() map[uint64][]Holder {
	all := map[uint64][]Holder{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			readHolders(all, pid)
		}
	}
	return all
}

// readHolders looks at the descriptors of a process.
func readHolders(all map[uint64][]Holder, pid int) {
	dir := fmt.Sprintf("/proc/%d", pid)
	fds, err := os.Open(dir + "/fd")
	if err != nil {
		return
	}
	names, _ := fds.Readdirnames(-1)
	fds.Close()
	called := ""
	for _, name := range names {
		to, err := os.Readlink(dir + "/fd/" + name)
		number, isSocket := strings.CutPrefix(to, "socket:[")
		inode, err2 := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
		if err != nil || !isSocket || err2 != nil {
			continue
		}
		if called == "" {
			comm, _ := os.ReadFile(dir + "/comm")
			called = strings.TrimSpace(string(comm))
		}
		all[inode] = append(all[inode], Holder{pid, called})
	}
}
