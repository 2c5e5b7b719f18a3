//go:build linux

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Handover ends the serving, but neither the listening nor the socket's name: whoever connects from now on waits for
// the Server that [Take] makes of the descriptors, in this process or in the program that replaces it by execve(2).
// They are close-on-exec. Whoever is being served is told to ask again, by CodeAgain or CodeCutOff, but those of
// [Defer]. A method that is at work is not waited for. After an error all goes on as before; else the Server is closed.
func (s *Server) Handover() (fds [2]int, err error) {
	s.watch.Close()
	fds = [2]int{-1, -1}
	raw, err := s.at.listener.SyscallConn()
	if err == nil {
		e := raw.Control(func(fd uintptr) { fds[0], err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) })
		err = errors.Join(e, err)
	}
	if err == nil {
		fds[1], err = unix.FcntlInt(uintptr(s.at.name), unix.F_DUPFD_CLOEXEC, 3)
	}
	if err != nil {
		if fds[0] >= 0 {
			unix.Close(fds[0])
		}
		s.startWatch() // as before
		return [2]int{-1, -1}, fmt.Errorf("control: keep the socket: %w", err)
	}
	s.mu.Lock()
	s.closed, s.why = true, &Error{Code: CodeAgain, Message: "the daemon is being upgraded: ask again"}
	s.sendAway()
	s.mu.Unlock()
	close(s.ending)
	s.at.close()
	s.accepts.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel()
	s.awaitServed(2 * slowestAtTheEnd)
	return fds, nil
}

// sendAway tells whoever is being served to ask again. It is called with s.mu, under which closed was set: nobody
// leaves, or begins, between the two.
func (s *Server) sendAway() {
	for _, c := range s.served {
		if !c.follows && !c.later {
			why := s.why
			if c.working && !c.again {
				why = &Error{Code: CodeCutOff, Message: "the daemon is being upgraded, and tells no more of this: look how it is"}
			}
			if raw, err := c.file.SyscallConn(); err == nil {
				raw.Control(func(fd uintptr) {
					unix.SendmsgN(int(fd), encode(null, nil, why), nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
				})
			}
		}
		switch {
		case c.later:
			c.file.Close() // which somebody else has as well
		case !c.follows:
			c.hangUp()
		}
	}
	s.served = slices.DeleteFunc(s.served, func(c *conn) bool { return !c.follows })
}

// Take is [Listen] with the descriptors of a Handover, which are its from now on. It returns nil, and they are closed,
// when nobody could be told of who connects, for want of something: Listen makes another socket, then or later.
func Take(path string, fds [2]int, methods map[string]Method, o Options) *Server {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	at := &bound{listener: os.NewFile(uintptr(fds[0]), path), name: fds[1]}
	if at.listener.SetReadDeadline(time.Time{}) != nil { // it is not in the poller
		at.close()
		return nil
	}
	return serve(path, at, methods, o)
}

// serving is the connection that a method answers.
type serving struct {
	*Server
	*conn
}

// begins is called before a method is; false: it is not to be, for who has asked for it was told to ask again, or is
// with the error.
func (x *serving) begins(method string, again bool) (begins bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.again = again
	if x.closed && x.why.Code == CodeAgain {
		return false, nil
	}
	err = x.mayBegin(x.conn, method)
	return err == nil, err
}

// Defer takes the answer to the request of ctx, that of a Method, upon the caller: it is followed by [Server.Handover],
// and by one [Deferred.Answer]. What the Method returns is not said. After an error it is.
func Defer(ctx context.Context) (*Deferred, error) {
	x, _ := ctx.Value(connKey{}).(*serving)
	id, _ := ctx.Value(idKey{}).(json.RawMessage)
	if x == nil {
		return nil, errors.New("control: not the context of a method")
	}
	d := &Deferred{FD: -1, ID: id}
	raw, err := x.file.SyscallConn()
	if err == nil {
		e := raw.Control(func(fd uintptr) { d.FD, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) })
		err = errors.Join(e, err)
	}
	if err != nil {
		return nil, fmt.Errorf("control: keep the connection: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.later = true
	return d, nil
}

// Answer answers, and closes the connection. It does not wait: an answer is smaller than what a socket takes.
func (d *Deferred) Answer(result any, failed error) {
	if d.ID != nil {
		unix.SendmsgN(d.FD, encode(d.ID, result, failed), nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	}
	unix.Close(d.FD)
}
