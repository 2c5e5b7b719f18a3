//go:build linux

package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// mostLeft bounds the calls of a method, or a stream, that go on though their askers have left: their contexts have
// ended, but nothing makes them return. They have no place any more, which others need, and so are counted.
const mostLeft = 16

// whileThere returns a context that ends when the asker has left altogether: nobody is to have a place for as long as
// somebody would have waited who does not any more. It is for a request of which the line has come; most are answered
// before that is looked at.
func (s *Server) whileThere(ctx context.Context, c *conn) (here context.Context, over func()) {
	here, leave := context.WithCancel(ctx)
	c.file.SetReadDeadline(time.Time{})
	looked := make(chan struct{})
	look := time.AfterFunc(unnoticed, func() {
		defer close(looked)
		if !errors.Is(untilGone(c.file), os.ErrDeadlineExceeded) {
			leave()
			s.hasLeft(c)
		}
	})
	return here, func() {
		if !look.Stop() {
			c.file.SetReadDeadline(time.Unix(1, 0))
			<-looked
		}
		leave()
	}
}

// hasLeft takes its place from c, whose call may go on.
func (s *Server) hasLeft(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.served, c)
	if i < 0 {
		return
	}
	s.served = slices.Delete(s.served, i, i+1)
	s.left[c.method]++
	c.left = true
	s.none.Broadcast()
}

// mayBegin notes, with s.mu held, what c has asked for. An error says that too many such calls go on.
func (s *Server) mayBegin(c *conn, method string) error {
	if n := s.left[method]; n >= mostLeft {
		return &Error{Code: CodeBusy,
			Message: fmt.Sprintf("%s: %d that nobody waits for have not ended: ask again", method, n)}
	}
	c.method = method
	return nil
}
