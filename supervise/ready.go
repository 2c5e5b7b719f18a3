package supervise

import (
	"bytes"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// await waits for readiness.
func (l *loop) await(p *program) {
	switch r := p.spec.Ready; {
	case p.spec.OneShot:
	case !r.tells():
		l.on(p, ready)
	case r.After > 0:
		l.awaitReady(p, r.After)
	default:
		l.awaitReady(p, r.timeout())
	}
}

// awaitReady waits for left of what a process that tells has to get ready.
func (l *loop) awaitReady(p *program, left time.Duration) {
	r := p.spec.Ready
	if r.After > 0 {
		l.alarms.in(left, &p.alarm, func() { l.on(p, ready) })
		return
	}
	l.unlessHeard(p, left, &p.alarm, func() {
		p.why = fmt.Sprintf("not ready after %v (no %s)", l.took(p, starting, r.timeout()), r.sign())
		l.on(p, timer)
	})
}

// tells reports whether there is a sign of readiness to wait for.
func (r *Ready) tells() bool { return r != nil && (r.FD > 0 || r.Notify || r.After > 0) }

func (r *Ready) timeout() time.Duration {
	if r.Timeout == 0 {
		return time.Minute
	}
	return r.Timeout
}

// openReady gives the command what it needs to tell that it is ready.
func (l *loop) openReady(p *program, c *command) (done func(), err error) {
	r := p.spec.Ready
	if p.features != nil {
		p.notified = nil // by the process before
	}
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
	r, w, err := openPipe()
	if err != nil {
		return nil, err
	}
	done = func() { unix.Close(w) }
	s := &readyPipe{pipe: r, p: p, start: p.starts}
	if err = l.reader.add(s); err != nil {
		unix.Close(r)
		return done, err
	}
	for len(c.files) < n {
		c.files = append(c.files, noFile)
	}
	c.files = append(c.files, uintptr(w))
	p.sources = append(p.sources, s)
	return done, nil
}

// readyPipe is read until there is a newline. Nobody reads on after that: who writes more is not to wait.
type readyPipe struct {
	pipe  int
	p     *program
	start int
}

func (s *readyPipe) fd() int { return s.pipe }

func (s *readyPipe) read(r *reader) (said []any, then next) {
	text, then := r.fill(s.pipe)
	if bytes.IndexByte(text, '\n') < 0 {
		return nil, then
	}
	return []any{notice{p: s.p, start: s.start, seen: func(l *loop, p *program) { l.on(p, ready) }}}, finish
}

func (*readyPipe) gone(*reader) {}

// openPipe returns a read end for the reader and a write end for a child.
func openPipe() (r, w int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return -1, -1, fmt.Errorf("pipe: %w", err)
	}
	r = high(p[0])
	unix.FcntlInt(uintptr(r), unix.F_SETFL, unix.O_NONBLOCK)
	return r, p[1], nil
}

// above is where what stays open for a program is, and below it what is for children, see fork.files, and whatever else
// is open; unless the limit of descriptors is less than roomy.
const (
	above = 128
	roomy = 1024
)

// high moves a descriptor there, if it can be moved.
func high(fd int) int {
	if descriptors() < roomy {
		return fd
	}
	moved, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, above)
	if err != nil {
		return fd
	}
	unix.Close(fd)
	return moved
}

// descriptors is how many there may be.
func descriptors() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return unix.RLIM_INFINITY
	}
	return limit.Cur
}

// fill reads what is in a pipe, once. then is what comes next for its source.
func (r *reader) fill(pipe int) (text []byte, then next) {
	n, err := unix.Read(pipe, r.buf)
	switch {
	case err == unix.EINTR:
		return nil, goOn
	case err == unix.EAGAIN:
		return nil, idle
	case shortage(err):
		return nil, later
	case err != nil || n <= 0:
		return nil, finish
	}
	return r.buf[:n], goOn
}

// release gives up what was open for the process of p. What it has written is read before.
func (*linux) release(l *loop, p *program) {
	if p.sources != nil {
		l.reader.release(p.sources)
		p.sources = nil
	}
}
