//go:build linux

package control

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/inotify"
)

// startWatch has the socket be put back. Where the path cannot be had, because another program listens there or for
// want of something, or not be watched, the watch goes on trying: whoever can make that so for a moment must not end
// the answers for good. It owns s.at until it is ended. An unlink shows as IN_ATTRIB, the change of the link count,
// since a bound socket holds its inode.
func (s *Server) startWatch() {
	w := inotify.New(s.at.name, s.path, unix.IN_ATTRIB|unix.IN_MOVE_SELF)
	s.watch = w
	w.Start(func() (name int, err error) {
		next, err := s.putBack()
		if next != nil {
			s.log.Warn("the control socket was deleted or replaced: put back", "socket", s.path)
			w.Forget()
			s.accept(next)
			s.at.close()
			s.at = next
		}
		return s.at.name, err
	}, func(what string, err error) {
		s.log.Error("the control socket cannot be "+what+", trying on", "socket", s.path, "err", err)
	})
}

// Unwatch ends the watch, which Close does too. The kernel takes some 10 ms to forget a watch, and keeps a process that
// has one from ending before: call it when the daemon begins to stop.
func (s *Server) Unwatch() { s.watch.End() }

// EndWatch is Unwatch for who has no 10 ms to lose: what is left of the watch is the caller's, to be closed when there
// is time. -1: there was no watch.
func (s *Server) EndWatch() (fd int) {
	fd = s.watch.Take()
	s.watch = nil
	return fd
}

// putBack makes the path name a socket of ours again; nil when it does.
func (s *Server) putBack() (*bound, error) {
	if s.at.names(s.path) {
		return nil, s.right(s.at)
	}
	next, err := bind(s.path)
	if err != nil {
		return nil, fmt.Errorf("put back: %w", err)
	}
	s.right(next) // or next time
	return next, nil
}
