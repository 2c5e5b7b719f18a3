//go:build linux

package control

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/inotify"
)

// watch is the inotify descriptor of the socket's name and the goroutine that reads it. An unlink shows as IN_ATTRIB,
// the change of the link count, since a bound socket holds its inode.
type watch struct {
	notify *os.File
	ending atomic.Bool
	looks  chan chan struct{} // closed when the socket was looked at
	done   chan struct{}
}

func (s *Server) startWatch() {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	var wd int
	w := &watch{done: make(chan struct{}), looks: make(chan chan struct{}, 1)}
	if err == nil {
		w.notify = os.NewFile(uintptr(fd), "inotify")
		if wd, err = w.add(s.at); err != nil {
			w.notify.Close()
		}
	}
	if err != nil {
		s.log.Warn("the control socket is not watched: it would not be put back", "socket", s.path, "err", err)
		return
	}
	s.watch = w
	go func() {
		defer close(w.done)
		w.run(s, wd)
	}()
}

func (w *watch) add(at *bound) (wd int, err error) {
	raw, err := w.notify.SyscallConn()
	if err != nil {
		return 0, err
	}
	e := raw.Control(func(notify uintptr) {
		wd, err = unix.InotifyAddWatch(int(notify), descriptor(at.name), unix.IN_ATTRIB|unix.IN_MOVE_SELF)
	})
	return wd, errors.Join(e, err)
}

func (w *watch) remove(wd int) {
	if raw, err := w.notify.SyscallConn(); err == nil {
		raw.Control(func(notify uintptr) { unix.InotifyRmWatch(int(notify), uint32(wd)) })
	}
}

// Unwatch ends the watch, which Close does too. The kernel takes some 10 ms to forget a watch, and keeps a process that
// has one from ending before: call it when the daemon begins to stop.
func (s *Server) Unwatch() {
	if w := s.watch; w != nil {
		w.ending.Store(true)
		w.notify.SetReadDeadline(time.Now())
		<-w.done
	}
}

// EndWatch is Unwatch for who has no 10 ms to lose: what is left of the watch is the caller's, to be closed when there
// is time. -1: there was no watch.
func (s *Server) EndWatch() (fd int) {
	fd = -1
	if w := s.watch; w != nil {
		s.Unwatch()
		fd = inotify.Take(w.notify)
		s.watch = nil
	}
	return fd
}

func (s *Server) closeWatch() {
	if s.watch != nil {
		s.Unwatch()
		inotify.Close(s.watch.notify)
	}
}

// look has the socket looked at, and waits for that. Call it once at a time.
func (w *watch) look() {
	looked := make(chan struct{})
	select {
	case w.looks <- looked:
	case <-w.done:
	}
	w.notify.SetReadDeadline(time.Now())
	select {
	case <-looked:
	case <-w.done:
	}
}

// run owns s.at until the watch is ended. Where the path cannot be had, because another program listens there or for
// want of something, it goes on trying: whoever can make that so for a moment must not end the answers for good.
func (w *watch) run(s *Server, wd int) {
	const soonest, latest = time.Millisecond, time.Minute
	wait := soonest
	buf := make([]byte, 512)
	for watching := true; !w.ending.Load(); {
		var looked chan struct{}
		select {
		case looked = <-w.looks:
		default:
		}
		next, err := s.putBack()
		if looked != nil {
			close(looked)
		}
		if next != nil {
			s.log.Warn("the control socket was deleted or replaced: put back", "socket", s.path)
			w.remove(wd)
			s.accept(next)
			s.at.close()
			s.at, watching = next, false
		}
		cannot := "put back"
		if err == nil && !watching {
			if wd, err = w.add(s.at); err == nil {
				watching = true
				continue // it may have been touched before the watch was on it
			}
			cannot = "watched"
		}
		switch {
		case err != nil:
			if wait == soonest*16 {
				s.log.Error("the control socket cannot be "+cannot+", trying on", "socket", s.path, "err", err)
			}
			w.notify.SetReadDeadline(time.Now().Add(wait))
			wait = min(2*wait, latest)
		default:
			w.notify.SetReadDeadline(time.Time{})
			wait = soonest
		}
		if !w.ending.Load() && len(w.looks) == 0 { // their deadline may have been taken away above
			w.notify.Read(buf) // until there is news, the deadline, or the end
		}
	}
	w.remove(wd)
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
