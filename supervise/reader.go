package supervise

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// reader reads what processes write: output, readiness, sd_notify(3), gates. One goroutine reads for all of them, by
// one epoll descriptor that the runtime's poller waits for, so that it takes no thread to wait; who writes nothing
// costs a descriptor and a source. The loop reads itself what a process has left that has ended,
// before its end is told.
type reader struct {
	requests chan<- any    // of the loop; it is sent to without the lock
	over     chan struct{} // closed: the loop takes no more

	turn    sync.Mutex // held by run from the reading of a source until the loop knows of it, see freeze
	mu      sync.Mutex // held while one source is read, once; what a source does with it does not wait
	epoll   *os.File   // nil: there was nothing to read yet, or never will be
	sources map[int]source
	late    map[source]bool // those that could not be read for want of something, and are not read now
	said    []any           // what was read, and the loop has not taken
	more    bool            // than one read takes has been written somewhere
	buf     []byte          // what is being read; nobody has one of his own
	slow    sync.Mutex      // held while what strangers have sent is closed: that takes one thread
	outputs sync.WaitGroup
	kept    keeping
	closing bool
}

// source is a descriptor that is read from. Its functions are called with the lock.
type source interface {
	fd() int
	// read reads once, and returns what the loop is to know.
	read(r *reader) (said []any, then next)
	// gone is called when the descriptor has been closed.
	gone(r *reader)
}

// next is what is to be done with a source that was read.
type next uint8

const (
	goOn   next = iota // there may be more
	idle               // until there is more
	pause              // until it is resumed
	later              // it could not be read for want of something
	finish             // close it
)

func newReader(s *Set, hear func(*Line)) *reader {
	return &reader{requests: s.requests, over: make(chan struct{}), kept: keeping{bound: mostKept, hear: hear}}
}

// add has a source read. It does not fail halfway: who gets an error has to close the descriptor.
func (r *reader) add(s source) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.epoll == nil {
		fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err == nil {
			err = r.open(fd, 0)
		}
		if err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
	}
	if err := r.control(unix.EPOLL_CTL_ADD, s.fd(), unix.EPOLLIN); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	r.note(s)
	return nil
}

// open begins to read by an epoll descriptor, which is closed if that cannot be. So many sources are to be expected.
func (r *reader) open(fd, sources int) error {
	unix.SetNonblock(fd, true) // for os.NewFile to have the poller wait for it
	epoll := os.NewFile(uintptr(fd), "epoll")
	if err := epoll.SetReadDeadline(time.Time{}); err != nil { // it is not in the poller, for want of something
		epoll.Close()
		return unix.ENOMEM
	}
	r.epoll = epoll
	r.sources, r.late, r.buf = make(map[int]source, sources), map[source]bool{}, make([]byte, longestLine)
	go r.run(r.epoll)
	return nil
}

// note is for a source that is in the epoll set.
func (r *reader) note(s source) {
	r.sources[s.fd()] = s
	if o, ok := s.(*outlet); ok {
		o.sink.outlets = append(o.sink.outlets, o)
		r.outputs.Add(1)
	}
}

func (r *reader) control(operation, fd int, events uint32) (err error) {
	raw, err := r.epoll.SyscallConn()
	if err == nil {
		err2 := raw.Control(func(epoll uintptr) {
			err = unix.EpollCtl(int(epoll), operation, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
		})
		if err == nil {
			err = err2
		}
	}
	return err
}

// What comes is read at once, but for what is written when within a spacing there was so much already: of many that go
// on writing, lines are read by the handful. Who has written more than one read takes has no wait.
const (
	spacing = 10 * time.Millisecond
	atOnce  = 32 // reads
)

func (r *reader) run(epoll *os.File) {
	raw, err := epoll.SyscallConn()
	if err != nil {
		return
	}
	events := make([]unix.EpollEvent, 64)
	begun, reads := time.Now(), 0
	for {
		n := 0
		if raw.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events, 0)
			return n > 0
		}) != nil {
			return
		}
		for _, e := range events[:n] {
			r.turn.Lock()
			if r.readOnce(int(e.Fd)) {
				r.tell()
			}
			r.turn.Unlock()
			// There is one processor, and who floods his output always has more: everybody else has his turn between two
			// reads, the loop above all.
			runtime.Gosched()
		}
		more := r.hasMore()
		reads += n
		switch since := time.Since(begun); {
		case since < spacing && reads < atOnce:
			continue
		case since < spacing && n < len(events) && !more:
			time.Sleep(spacing - since)
		}
		begun, reads = time.Now(), 0
	}
}

func (r *reader) hasMore() (more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	more, r.more = r.more, false
	return more
}

// spoken asks the loop to take what was read.
type spoken struct{}

// tell waits until the loop has taken what was said. Nothing is read meanwhile, but by the loop itself.
func (r *reader) tell() {
	select {
	case r.requests <- spoken{}:
	case <-r.over:
		for _, word := range r.take() {
			if n, ok := word.(notice); ok && n.handled != nil {
				n.handled()
			}
		}
	}
}

// take returns what was said.
func (r *reader) take() (words []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	words, r.said = r.said, nil
	return words
}

// readOnce reports whether there is something to be told.
func (r *reader) readOnce(fd int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.sources[fd]; s != nil {
		words, then := s.read(r)
		r.said = append(r.said, words...)
		r.proceed(s, then)
	}
	return len(r.said) > 0
}

func (r *reader) proceed(s source, then next) {
	switch then {
	case pause:
		r.control(unix.EPOLL_CTL_MOD, s.fd(), unix.EPOLLET) // the end of the other side would be told over and over
	case later:
		r.control(unix.EPOLL_CTL_MOD, s.fd(), unix.EPOLLET)
		r.late[s] = true
		time.AfterFunc(100*time.Millisecond, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.resume(s)
		})
	case finish:
		r.close(s)
	}
}

// resume has a source read again that is paused.
func (r *reader) resume(s source) {
	delete(r.late, s)
	if r.has(s) {
		r.control(unix.EPOLL_CTL_MOD, s.fd(), unix.EPOLLIN)
	}
}

// has says that s has not been closed.
func (r *reader) has(s source) bool { return r.sources[s.fd()] == s }

// close closes a source, if it is not closed already. It leaves the set first: a process between fork and exec may have
// the pipe as well.
func (r *reader) close(s source) {
	if !r.has(s) {
		return
	}
	r.control(unix.EPOLL_CTL_DEL, s.fd(), 0)
	if n, ok := s.(*notifySocket); ok {
		n.close(r)
	} else {
		unix.Close(s.fd())
	}
	delete(r.sources, s.fd())
	delete(r.late, s)
	s.gone(r)
	r.endWhenEmpty()
}

// release is for the sources of a process that has ended. What is in its output pipes is read; for as long as somebody
// else has the other end, that goes on.
func (r *reader) release(sources []source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range sources {
		if o, ok := s.(*outlet); ok {
			o.settle(r)
			continue
		}
		r.close(s)
	}
}

// letGo ends all reading: what is in the output pipes is read, and then they are closed, whoever has the other end.
func (r *reader) letGo() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return
	}
	r.closing = true
	close(r.over)
	for _, s := range r.sources {
		if o, ok := s.(*outlet); ok {
			o.letGo(r)
			continue
		}
		r.close(s)
	}
	r.endWhenEmpty()
}

func (r *reader) endWhenEmpty() {
	if r.closing && len(r.sources) == 0 && r.epoll != nil {
		go r.epoll.Close() // which waits for whoever is in one of its calls, and might wait for the lock
		r.epoll = nil
	}
}
