package supervise

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tell has the loop know what was seen of the process that is p's now.
func (s *Set) tell(p *program, start int, seen func(l *loop, p *program)) {
	select {
	case s.requests <- notice{p, start, seen}:
	case <-s.ended:
	}
}

// openReady gives the command what it needs to tell that it is ready.
func (l *loop) openReady(p *program, c *command) (done func(), err error) {
	r := p.spec.Ready
	if r == nil {
		return nil, nil
	}
	if r.Notify || r.Watchdog > 0 {
		if err := l.openNotify(p, c, r); err != nil {
			return nil, err
		}
	}
	if r.FD > 0 {
		return l.openReadyFD(p, c, r.FD)
	}
	return nil, nil
}

// openReadyFD makes descriptor n of the child a pipe, on which a line means ready.
func (l *loop) openReadyFD(p *program, c *command, n int) (done func(), err error) {
	r, w, err := openPipe("ready")
	if err != nil {
		return nil, err
	}
	for len(c.files) < n {
		c.files = append(c.files, closed)
	}
	c.files = append(c.files, uintptr(w))
	p.more().pipes.keep(r)
	start := p.starts
	go func() {
		buf := make([]byte, 64)
		for {
			n, err := r.Read(buf)
			if bytes.IndexByte(buf[:n], '\n') >= 0 {
				l.set.tell(p, start, func(l *loop, p *program) { l.on(p, ready) })
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return func() { unix.Close(w) }, nil
}

// openNotify makes a socket for sd_notify(3) with an abstract name. Anybody may send to it; only the program's own user
// and session are listened to. A sender who has gone already, as systemd-notify(1) has, cannot be asked for its session.
func (l *loop) openNotify(p *program, c *command, r *Ready) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("notify socket: %w", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{}) // unix(7), autobind: the kernel finds a name
	}
	name := ""
	if address, e := unix.Getsockname(fd); err == nil && e == nil {
		name = address.(*unix.SockaddrUnix).Name
	}
	if name == "" {
		unix.Close(fd)
		return fmt.Errorf("notify socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	p.more().pipes.keep(f)
	c.env = append(c.env, "NOTIFY_SOCKET="+name)
	if r.Watchdog > 0 {
		c.env = append(c.env, "WATCHDOG_USEC="+strconv.FormatInt(r.Watchdog.Microseconds(), 10))
	}
	start := p.starts
	uid := unix.Geteuid()
	if u := p.spec.User; u != nil {
		uid = int(u.UID)
	}
	go receive(f, func(message []byte, sender *unix.Ucred) {
		if int(sender.Uid) != uid && sender.Uid != 0 {
			return
		}
		message = bytes.Clone(message)
		sid, err := unix.Getsid(int(sender.Pid))
		l.set.tell(p, start, func(l *loop, p *program) {
			if err == nil && sid != p.pid {
				return
			}
			for line := range bytes.Lines(message) {
				switch string(bytes.TrimSuffix(line, []byte("\n"))) {
				case "READY=1":
					l.on(p, ready)
				case "WATCHDOG=1":
					l.feedDog(p)
				}
			}
		})
	})
	return nil
}

// receive reads datagrams with their senders until the socket is closed.
func receive(f *os.File, got func(message []byte, sender *unix.Ucred)) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	raw.Read(func(fd uintptr) bool {
		for {
			n, m, _, _, err := unix.Recvmsg(int(fd), buf, oob, 0)
			switch err {
			case nil:
			case unix.EINTR:
				continue
			case unix.EAGAIN:
				return false
			default:
				return true
			}
			if messages, err := unix.ParseSocketControlMessage(oob[:m]); err == nil && len(messages) > 0 {
				if cred, err := unix.ParseUnixCredentials(&messages[0]); err == nil {
					got(buf[:n], cred)
				}
			}
		}
	})
}

// openPipe returns a read end for the poller and a write end for a child.
func openPipe(name string) (r *os.File, w int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, -1, fmt.Errorf("pipe: %w", err)
	}
	unix.SetNonblock(p[0], true)
	return os.NewFile(uintptr(p[0]), name), p[1], nil
}

// pipes are what is open for a process and has to be closed behind it.
type pipes []*os.File

func (ps *pipes) keep(f *os.File) { *ps = append(*ps, f) }

// release closes what was open for the process of p. What it has written is still read, for a moment: a grandchild that
// has left the group may hold the other end for ever.
func (l *loop) release(p *program) {
	if p.extra == nil {
		return
	}
	for _, f := range p.pipes {
		if f.Name() == "output" {
			f.SetReadDeadline(time.Now().Add(time.Second)) // its reader closes it
		} else {
			f.Close()
		}
	}
	p.pipes = nil
}
