package supervise

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/cut"
)

// notifySocket is read a datagram at a time, with its sender.
//
// Nothing is taken of the descriptors that come along: the kernel closes them when the datagram leaves the queue, which
// is once all that came before has been handled, as BARRIER=1 asks for; FDSTORE=1 is in vain. To close them may take
// long, and anybody can send some. So a datagram is looked at first, and one that brings descriptors leaves the queue
// on a goroutine for that; the socket is not read meanwhile.
type notifySocket struct {
	socket int
	p      *program
	start  int
	uid    int

	held   *heldBack // nil: no datagram with descriptors is at the head of the queue
	closed bool
	late   bool // and whoever drops what is held closes it
}

// heldBack is a datagram with descriptors that has been looked at.
type heldBack struct {
	begun bool
	done  chan struct{} // closed when it has left the queue
}

func (s *notifySocket) fd() int { return s.socket }

func (s *notifySocket) read(r *reader) (said []any, then next) {
	if h := s.held; h != nil {
		select {
		case <-h.done:
			s.held = nil
		default:
			return nil, pause
		}
	}
	buf, oob := r.buf[:longestMessage], r.buf[longestMessage:][:unix.CmsgSpace(unix.SizeofUcred)]
	n, m, flags, _, err := syscall.Recvmsg(s.socket, buf, oob, unix.MSG_PEEK)
	switch err {
	case nil:
	case unix.EINTR:
		return nil, goOn
	case unix.EAGAIN:
		return nil, idle
	default:
		if shortage(err) {
			return nil, later
		}
		return nil, finish
	}
	told := notice{p: s.p, start: s.start, seen: func(*loop, *program) {}}
	sender := senderOf(oob[:m])
	known := sender != nil && sender.Pid > 0 // 0: of another PID namespace
	if known && flags&unix.MSG_TRUNC == 0 {
		trusted := int(sender.Uid) == s.uid || sender.Uid == 0
		told.seen = heard(parseMessage(buf[:n]), int(sender.Pid), trusted)
	}
	if flags&unix.MSG_CTRUNC == 0 {
		s.next()
		if !known {
			return nil, goOn
		}
		return []any{told}, goOn
	}
	s.held = &heldBack{done: make(chan struct{})}
	told.handled = func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		s.drop(r)
	}
	return []any{told}, pause
}

// next has the first datagram leave the queue. To read nothing would not do.
func (s *notifySocket) next() {
	var b [1]byte
	unix.Read(s.socket, b[:])
}

// drop has what is held leave the queue, and the socket be read on then.
func (s *notifySocket) drop(r *reader) {
	h := s.held
	if h == nil || h.begun || s.closed {
		return
	}
	h.begun = true
	go func() {
		r.slow.Lock()
		cut.Short(s.next)
		r.slow.Unlock()
		close(h.done)
		r.mu.Lock()
		defer r.mu.Unlock()
		if s.late {
			s.close(r)
		} else if !s.closed {
			r.resume(s)
		}
	}()
}

// dropped waits for that, until then.
func (s *notifySocket) dropped(r *reader, until time.Time) bool {
	s.drop(r)
	select {
	case <-s.held.done:
		return true
	case <-time.After(time.Until(until)):
		return false
	}
}

// close closes the socket, and what is in its queue. Nothing comes into that any more when it is looked at.
func (s *notifySocket) close(r *reader) {
	s.closed = true
	if h := s.held; h != nil && h.begun {
		select {
		case <-h.done:
		default:
			s.late = true
			return
		}
	}
	unix.Shutdown(s.socket, unix.SHUT_RD)
	if _, _, err := unix.Recvfrom(s.socket, nil, unix.MSG_PEEK); err == unix.EAGAIN {
		unix.Close(s.socket)
		return
	}
	go func() {
		r.slow.Lock()
		defer r.slow.Unlock()
		cut.Short(func() { unix.Close(s.socket) })
	}()
}

func (*notifySocket) gone(*reader) {}

// senderOf reads what comes beside a datagram.
func senderOf(oob []byte) (sender *unix.Ucred) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range messages {
		if c, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			sender = c
		}
	}
	return sender
}
