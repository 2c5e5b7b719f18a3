//go:build linux

package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// mostQueued bounds, in bytes, what is kept for a Follower that does not read.
const mostQueued = 256 << 10

// A Follower is who has asked for a [Stream]. Its methods may be called by any goroutine, as long as the Stream lasts.
type Follower struct {
	ctx  context.Context
	head []byte // of each line

	mu      sync.Mutex
	changed *sync.Cond
	queue   []byte // whole lines
	lost    int    // lines, after those in the queue
	over    bool   // no more will come
}

var (
	errLeft = errors.New("the asker has left")
	errOver = errors.New("the stream is over")
)

func newFollower(ctx context.Context, method string) *Follower {
	name, _ := json.Marshal(method)
	f := &Follower{ctx: ctx, head: fmt.Appendf(nil, `{"jsonrpc":"2.0","method":%s,"params":`, name)}
	f.changed = sync.NewCond(&f.mu)
	return f
}

// Send has the follower get v, which is marshalled to an object or an array, as a line. It never waits: a line for
// which there is no room is lost, and the follower is told how many were when it reads on. An error says that v cannot
// be sent, or nothing any more.
func (f *Follower) Send(v any) error {
	said, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.SendEncoded(said)
}

// SendEncoded is [Follower.Send] of what is encoded already, as [json.Marshal] does it: for what many are to get.
func (f *Follower) SendEncoded(said json.RawMessage) error { return f.send(said, false) }

// Put is [Follower.SendEncoded] that loses nothing: it waits until there is room. Whoever must not wait does not call
// it.
func (f *Follower) Put(said json.RawMessage) error { return f.send(said, true) }

func (f *Follower) send(said json.RawMessage, wait bool) error {
	switch {
	case len(said) == 0:
		return errors.New("nothing is to be sent")
	case said[0] != '{' && said[0] != '[':
		return fmt.Errorf("neither an object nor an array: %.100s", said)
	case bytes.IndexByte(said, '\n') >= 0:
		return fmt.Errorf("more than one line: %.100q", said)
	case len(said) > longestAnswer-longestRequest:
		return fmt.Errorf("a line of %d bytes, and it may have %d", len(said), longestAnswer-longestRequest)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for wait && f.isFull(len(said)) && f.ctx.Err() == nil && !f.over {
		f.changed.Wait()
	}
	switch {
	case f.ctx.Err() != nil:
		return context.Cause(f.ctx)
	case f.over:
		return errOver
	case f.isFull(len(said)):
		f.lost++
		return nil
	}
	f.queue = append(append(append(f.queue, f.head...), said...), "}\n"...)
	f.changed.Broadcast()
	return nil
}

// isFull reports whether there is no room for so many bytes, or what came before them was lost.
func (f *Follower) isFull(bytes int) bool {
	return f.lost > 0 || len(f.queue) > 0 && len(f.queue)+len(f.head)+bytes > mostQueued
}

// Flush waits until there is room for whatever comes, of which so nothing is lost. It is for what a stream begins with,
// and has at hand; whoever must not wait does not call it. An error says that nothing can be sent any more.
func (f *Follower) Flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) > 0 && f.ctx.Err() == nil && !f.over {
		f.changed.Wait()
	}
	switch {
	case f.ctx.Err() != nil:
		return context.Cause(f.ctx)
	case f.over:
		return errOver
	}
	return nil
}

// wake has those who wait look again.
func (f *Follower) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed.Broadcast()
}

// end has nothing come any more.
func (f *Follower) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	f.changed.Broadcast()
}

// take waits for lines, and takes all that there are: nil after the last. What was lost came after them.
func (f *Follower) take() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) == 0 && !f.over {
		f.changed.Wait()
	}
	lines := f.queue
	if f.lost > 0 {
		lines = fmt.Appendf(lines, `{"jsonrpc":"2.0","method":%q,"params":{"lines":%d}}`+"\n", lostMethod, f.lost)
	}
	f.queue, f.lost = nil, 0
	f.changed.Broadcast()
	return lines
}

// lostMethod is the name of the line that tells of lost ones.
const lostMethod = "lost"

// stream has c follow, and returns the line that ends it; nil: c is to go.
func (s *Server) stream(ctx context.Context, c *conn, r *request, stream Stream) []byte {
	if err := s.follows(c, r.method); err != nil {
		return encode(r.id, nil, err)
	}
	defer s.followsNoMore(c)
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	f := newFollower(ctx, r.method)
	defer context.AfterFunc(ctx, f.wake)()

	c.file.SetDeadline(time.Time{}) // a follower may pause
	var writer, watcher sync.WaitGroup
	writer.Go(func() {
		for lines := f.take(); lines != nil; lines = f.take() {
			if _, err := c.file.Write(lines); err != nil {
				leave(errLeft)
				return
			}
		}
	})
	watcher.Go(func() {
		if !errors.Is(untilGone(c.file), os.ErrDeadlineExceeded) {
			leave(errLeft)
			s.hasLeft(c)
		}
	})
	err := stream(ctx, r.params, f)
	rest := slowestReader // for what is in the queue
	if s.ctx.Err() != nil {
		rest = slowestAtTheEnd
	}
	c.file.SetDeadline(time.Now().Add(rest))
	f.end()
	writer.Wait()
	c.file.SetReadDeadline(time.Unix(1, 0))
	watcher.Wait()
	if errors.Is(context.Cause(ctx), errLeft) {
		return nil
	}
	if s.ctx.Err() != nil {
		s.mu.Lock()
		err = s.why
		s.mu.Unlock()
	}
	return encode(r.id, nil, err)
}

// untilGone waits until the other side has gone altogether, or the deadline. That it will ask nothing more, as nc -N
// says, and what it goes on to say, is not that.
func untilGone(file *os.File) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd)}}
		n, _ := unix.Poll(p, 0)
		return n > 0 // POLLHUP or POLLERR
	})
}

// follows notes that c follows a stream. An error says that there is no place.
func (s *Server) follows(c *conn, method string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, readers := 0, 0
	for _, other := range s.served {
		if other.follows {
			all++
			if other.reads {
				readers++
			}
		}
	}
	if all >= mostStreams || c.reads && readers >= mostStreams/2 {
		return &Error{Code: CodeBusy, Message: fmt.Sprintf("%d follow a stream: ask again", all)}
	}
	err := s.mayBegin(c, method)
	c.follows = err == nil
	return err
}

func (s *Server) followsNoMore(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.follows = false
}
