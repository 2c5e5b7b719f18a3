package supervise

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/address"
	"github.com/keepalivedd/keepalivedd/internal/cut"
)

// openListeners opens what a process is to listen on, on the thread that forks: a path may be on a disk that hangs.
// What was opened before an error stays open.
func (s *launcher) openListeners(c *command) error {
	for i := range c.listen {
		n := &c.listen[i]
		if err := n.open(); errors.Is(err, unix.EADDRINUSE) {
			return s.inUse(n.Address)
		} else if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		for len(c.files) <= firstListened+i {
			c.files = append(c.files, noFile)
		}
		c.files[firstListened+i] = uintptr(n.fd)
	}
	return nil
}

// inUse tells who has an address. To find that out takes longer than a launch, so it is done once for all that fail
// within a second.
func (s *launcher) inUse(text string) error {
	a, err := address.Parse(text)
	if err != nil {
		return err
	}
	if time.Since(s.read) > time.Second {
		s.neighbours = address.Table{}
		s.read = time.Now()
	}
	return fmt.Errorf("listen: %w", s.neighbours.InUse(a))
}

// open has the socket be what it is to be. One that is listened on already stays the same,
// and is told what has changed.
func (n *listener) open() error {
	a, err := address.Parse(n.Address)
	if err != nil {
		return err
	}
	if n.fd >= 0 && (a.Network == "unix" && !n.named(a.Path) || !(n.shared && a.Datagram()) && spoiled(n.fd)) {
		n.hangUp(a) // nobody can reach it any more
	}
	if n.fd < 0 {
		return n.bind(a)
	}
	if !n.shared {
		unix.SetNonblock(n.fd, false) // as it was for the process before, which has made of it what it liked
	}
	if a.Network == "unix" {
		if err := n.own(n.fd, a.Path); err != nil {
			return err
		}
	}
	return n.listen(a, n.fd)
}

// spoiled reports whether a process has made of a socket what cannot be undone: shut it down, as some do at their end,
// or, of one for datagrams, connected it to somebody. With TCP the former only ends the listening.
func spoiled(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	if n, _ := unix.Poll(p, 0); n == 1 && p[0].Revents&unix.POLLRDHUP != 0 {
		return true
	}
	_, err := unix.Getpeername(fd)
	return err == nil
}

// bind opens it anew.
func (n *listener) bind(a address.Address) error {
	fd, err := address.Open(a)
	if err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	if a.Network == "unix" {
		err = n.bindPath(fd, a.Path)
	} else {
		err = unix.Bind(fd, a.Sockaddr())
	}
	if err == nil {
		err = n.listen(a, fd)
	}
	if err == nil {
		n.fd = fd
		return nil
	}
	unix.Close(fd)
	switch {
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%s: this machine has no such address: %w", a, unix.EADDRNOTAVAIL)
	case errors.Is(err, unix.EACCES) && a.Network != "unix":
		return fmt.Errorf("%s: only root may listen on this port: %w", a, err)
	}
	return fmt.Errorf("%s: %w", a, err)
}

func (n *listener) listen(a address.Address, fd int) error {
	if a.Datagram() {
		return nil
	}
	backlog := n.Backlog
	if backlog == 0 {
		backlog = defaultBacklog
	}
	return os.NewSyscallError("listen", unix.Listen(fd, backlog))
}

// bindPath gives the socket its name. Until it belongs to whom it is to belong to, nobody else can connect to it.
func (n *listener) bindPath(fd int, path string) error {
	if err := unix.Fchmod(fd, 0); err != nil { // what its name will have
		return fmt.Errorf("chmod: %w", err)
	}
	err := unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	if errors.Is(err, unix.EADDRINUSE) {
		if err = n.clear(path); err == nil {
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
		}
	}
	if err != nil {
		return err
	}
	err = n.own(fd, path)
	if err != nil && n.named(path) {
		unix.Unlink(path)
	}
	return err
}

// own gives the name of the socket its owner and mode, whatever its path has come to name.
func (n *listener) own(fd int, path string) error {
	name, err := nameOf(fd, path)
	if err != nil {
		return err
	}
	defer unix.Close(name)
	var st unix.Stat_t
	if err := unix.Fstat(name, &st); err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	n.dev, n.ino = uint64(st.Dev), st.Ino
	uid, gid, err := n.owners()
	if err != nil {
		return err
	}
	if int(st.Uid) != uid || int(st.Gid) != gid {
		if err := unix.Fchownat(name, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
			return fmt.Errorf("it cannot be given to uid %d, gid %d: %w", uid, gid, err)
		}
	}
	mode := n.Mode
	if mode == 0 {
		mode = defaultMode
	}
	return os.NewSyscallError("chmod", unix.Chmod("/proc/self/fd/"+strconv.Itoa(name), mode))
}

// nameOf opens the file that a socket is bound to.
func nameOf(fd int, path string) (name int, err error) {
	const siocUnixFile = 0x89e0 // SIOCUNIXFILE
	if name, err = unix.IoctlRetInt(fd, siocUnixFile); err == nil {
		unix.CloseOnExec(name)
		return name, nil
	}
	// That takes CAP_NET_ADMIN. Without it nobody's file but our own can be changed: what is there is looked at.
	if name, err = unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err != nil {
		return -1, fmt.Errorf("open: %w", err)
	}
	var st unix.Stat_t
	if err = unix.Fstat(name, &st); err == nil &&
		(st.Mode&unix.S_IFMT != unix.S_IFSOCK || int(st.Uid) != unix.Geteuid() || st.Nlink != 1) {
		err = errors.New("it was replaced at once")
	}
	if err != nil {
		unix.Close(name)
		return -1, err
	}
	return name, nil
}

// owners are whom it is to belong to.
func (n *listener) owners() (uid, gid int, err error) {
	u, err := n.Owner.found()
	if err != nil {
		return 0, 0, err
	}
	uid, gid = unix.Geteuid(), unix.Getegid()
	if u != nil {
		uid, gid = int(u.UID), int(u.GID)
	}
	switch {
	case n.Group == "":
	case n.FindGroup != nil:
		gid, err = n.FindGroup()
	default:
		gid, err = strconv.Atoi(n.Group)
	}
	return uid, gid, err
}

// clear removes a socket that nobody listens on any more, and that is ours to remove.
func (n *listener) clear(path string) error {
	var st unix.Stat_t
	switch err := unix.Lstat(path, &st); {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		return fmt.Errorf("stat: %w", err)
	case st.Mode&unix.S_IFMT != unix.S_IFSOCK:
		return errors.New("what is there is not a socket, and is left alone: remove it")
	}
	uid, _, err := n.owners()
	if err != nil {
		return err
	}
	if int(st.Uid) != unix.Geteuid() && int(st.Uid) != uid {
		return fmt.Errorf("what is there belongs to uid %d, and is left alone: remove it", st.Uid)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	unix.Shutdown(fd, unix.SHUT_RD) // whoever listens may send what would take long to be closed
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); !errors.Is(err, unix.ECONNREFUSED) {
		return unix.EADDRINUSE // somebody listens there, or what there is is not for connections
	}
	if err := unix.Unlink(path); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("a socket that nobody listens on is in the way: %w", err)
	}
	return nil
}

// named reports whether path is the socket's name. While it is open its number in the file system is not given to
// another.
func (n *listener) named(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && uint64(st.Dev) == n.dev && st.Ino == n.ino
}

// closeListener closes a socket; those who wait there are turned away.
func (*linux) closeListener(n *listener) {
	a, _ := address.Parse(n.Address)
	if a.Network == "unix" && n.named(a.Path) {
		unix.Unlink(a.Path)
	}
	n.hangUp(a)
}

// hangUp closes a socket. Those who wait there may have sent what is long in closing, where they can send descriptors;
// so may be the socket itself, of which a process has made a connection: see package cut.
func (n *listener) hangUp(a address.Address) {
	fd := n.fd
	n.fd = -1
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	waiting, _ := unix.Poll(p, 0)
	_, unconnected := unix.Getpeername(fd)
	if waiting > 0 && a.Network == "unix" || unconnected == nil && !a.Datagram() {
		go cut.Short(func() { unix.Close(fd) })
		return
	}
	unix.Close(fd)
}
