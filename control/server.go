//go:build linux

package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/cut"
	"github.com/keepalivedd/keepalivedd/internal/inotify"
)

// A Server answers at a path until Close.
type Server struct {
	path    string
	calls   map[string]call
	log     *slog.Logger
	ctx     context.Context // of the methods
	cancel  context.CancelFunc
	ending  chan struct{}
	at      *bound         // the watch's, once there is one
	watch   *inotify.Watch // nil: the socket is not watched
	accepts sync.WaitGroup

	setting sync.Mutex // held by SetReaders

	mu      sync.Mutex
	closed  bool
	why     *Error // that streams end with, when it is closed
	readers *int
	served  []*conn        // in the order in which they came
	left    map[string]int // calls that go on though who has asked for them has left, by method
	none    *sync.Cond
}

// conn is somebody who is served.
type conn struct {
	file    *os.File
	asker   Asker
	reads   bool // only
	working bool // guarded by the Server's mu: a request has come, and its answer has not gone yet
	follows bool // guarded too: that is a stream
	later   bool // guarded too: somebody else answers, see Defer
	again   bool // guarded too: what it has asked for has not begun, or it may simply ask for it again

	method string // guarded too: what it has asked for
	left   bool   // guarded too: and is not there any more, see left
}

// Listen serves methods at path, which must be absolute, until [Server.Close]. Call it only under a lock that keeps
// out every other process which would listen there, as a pidfile's does: a socket that nobody listens on is replaced.
// What is there and is no socket, or is one that another program of root's or of the caller's user listens on, is left
// alone, and an error. The socket is put back when it is deleted or replaced, as a pidfile is; that costs nothing
// while nobody touches it.
func Listen(path string, methods map[string]Method, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("control: %q is not an absolute path", path)
	}
	at, err := bind(path)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	return serve(path, at, methods, o), nil
}

func serve(path string, at *bound, methods map[string]Method, o Options) *Server {
	s := &Server{path: path, calls: callsOf(methods, o), log: o.Log, ending: make(chan struct{}), at: at,
		left: map[string]int{}, readers: o.Readers, why: &Error{Code: CodeStopping, Message: "the daemon is stopping"}}
	s.none = sync.NewCond(&s.mu)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.right(at) // or the watch does
	s.accept(at)
	s.startWatch()
	return s
}

// Close ends the listening, the contexts of the methods, and the connections; an answer that is on its way has half a
// second more. The socket is unlinked if the path still names it. A second Close does nothing.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.mu.Unlock()
	close(s.ending)
	s.watch.Close()
	if s.at.names(s.path) {
		unix.Unlink(s.path)
	}
	s.at.close()
	s.accepts.Wait()
	s.cancel()

	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.served {
		if !c.working {
			c.hangUp()
		}
	}
	s.awaitServed(500 * time.Millisecond)
}

// awaitServed waits, with s.mu held, until nobody is served any more; who is after that time is hung up on.
func (s *Server) awaitServed(limit time.Duration) {
	late := time.AfterFunc(limit, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.served {
			c.hangUp()
		}
		s.served = nil
		s.none.Broadcast()
	})
	defer late.Stop()
	for len(s.served) > 0 {
		s.none.Wait()
	}
}

// accept takes in those who connect to at, until that is closed. It computes nothing, and sleeps in the poller. A
// shortage, of descriptors or memory, it sits out.
func (s *Server) accept(at *bound) {
	raw, err := at.listener.SyscallConn()
	if err != nil {
		return
	}
	s.accepts.Go(func() {
		const shortest, longest = 10 * time.Millisecond, time.Second
		wait, told := shortest, false
		for {
			var short error
			err := raw.Read(func(fd uintptr) bool {
				for {
					c, _, err := syscall.Accept4(int(fd), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
					switch {
					case err == nil:
						wait, told = shortest, false
						s.admit(c)
						runtime.Gosched() // whoever has asked already is heard before the next comes in
					case errors.Is(err, unix.EAGAIN):
						return false
					case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
					default:
						short = err
						return true
					}
				}
			})
			if err != nil {
				return // it was closed
			}
			if wait == longest && !told {
				told = true
				s.log.Warn("who asks has to wait", "socket", s.path, "err", short)
			}
			select {
			case <-time.After(wait):
				wait = min(2*wait, longest)
			case <-s.ending:
				return
			}
		}
	})
}

// admit owns fd, a new connection. When all places are taken, the one who has been longest about a request goes. Who
// may only read has half of them, and drives out nobody else: the others can ask whatever members of the group do.
func (s *Server) admit(fd int) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	s.mu.Lock()
	defer s.mu.Unlock()
	admitted, reads := false, false
	if err == nil {
		admitted, reads = s.admits(fd, cred)
	}
	switch {
	case s.closed && s.why.Code == CodeAgain:
		turnAway(fd, s.why)
		return
	case s.closed:
		unix.Close(fd)
		return
	case !admitted:
		turnAway(fd, s.forbidden())
		return
	case len(s.served) >= mostConnections, reads && s.readersServed() >= mostConnections/2:
		idle := slices.IndexFunc(s.served, func(c *conn) bool { return !c.working && (c.reads || !reads) })
		if idle < 0 {
			turnAway(fd, &Error{Code: CodeBusy, Message: fmt.Sprintf("%d are being served: ask again", len(s.served))})
			return
		}
		s.served[idle].hangUp()
		s.served = slices.Delete(s.served, idle, idle+1)
	}
	c := &conn{file: os.NewFile(uintptr(fd), "asker"), asker: Asker{int(cred.Pid), int(cred.Uid)}, reads: reads}
	s.served = append(s.served, c)
	go s.serve(c)
}

func (s *Server) readersServed() (n int) {
	for _, c := range s.served {
		if c.reads {
			n++
		}
	}
	return n
}

// turnAway answers without waiting for a question, nor for the answer to be read.
func turnAway(fd int, why *Error) {
	unix.SendmsgN(fd, encode(null, nil, why), nil, nil, unix.MSG_NOSIGNAL)
	cut.Short(func() { unix.Close(fd) })
}

// hangUp has the goroutine of c leave, which closes the connection: whoever may connect can have that take a moment,
// see package cut.
func (c *conn) hangUp() {
	if raw, err := c.file.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
}

// Read reads what the asker says. The descriptors that he sends along are closed here, by the kernel. The syscall
// package's Read, as os.File's does, tells the race detector that what an asker in this process did came before.
func (c *conn) Read(p []byte) (n int, err error) {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	e := raw.Read(func(fd uintptr) bool {
		cut.Short(func() { n, err = syscall.Read(int(fd), p) })
		return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
	})
	switch {
	case e != nil || err != nil:
		return 0, errors.Join(e, err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// serve answers the requests of one connection, one after the other.
func (s *Server) serve(c *conn) {
	defer s.leave(c)
	ctx := context.WithValue(context.WithValue(s.ctx, askerKey{}, c.asker), connKey{}, &serving{s, c})
	in := bufio.NewReaderSize(c, 512)
	for {
		c.file.SetReadDeadline(time.Now().Add(slowestRequest))
		line, err := readLine(in, longestRequest)
		if err != nil && !errors.Is(err, errTooLong) || !s.works(c, true) {
			return
		}
		var said []byte
		if err != nil {
			said = encode(null, nil, &Error{Code: CodeInvalid,
				Message: fmt.Sprintf("a request has at most %d bytes", longestRequest)})
		} else {
			var follow *request
			here, over := s.whileThere(ctx, c)
			said, follow = answer(here, line, s.calls, c.reads)
			if over(); follow != nil {
				if said = s.stream(ctx, c, follow, s.calls[follow.method].stream); said == nil {
					return
				}
			}
		}
		if len(said) > 0 {
			c.file.SetWriteDeadline(time.Now().Add(slowestReader))
			if _, err := c.file.Write(said); err != nil {
				return
			}
		}
		if err != nil || !s.works(c, false) {
			return
		}
	}
}

// works notes whether a request of c is being worked on; false when c is to go.
func (s *Server) works(c *conn, working bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.working, c.again = working, true
	return !s.closed && slices.Contains(s.served, c)
}

func (s *Server) leave(c *conn) {
	cut.Short(func() { c.file.Close() })
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.served, c); i >= 0 {
		s.served = slices.Delete(s.served, i, i+1)
	}
	if c.left {
		s.left[c.method]--
	}
	s.none.Broadcast()
}

var errTooLong = errors.New("the line is too long")

// readLine returns the next line, or what is there when the other side has said that no more will follow.
func readLine(in *bufio.Reader, longest int) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > longest:
			return nil, errTooLong
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		default:
			return line, err
		}
	}
}
