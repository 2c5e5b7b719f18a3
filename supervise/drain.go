package supervise

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// outlet is the way of what a process writes to the sink of its program. While the sink has no room its pipe is not
// read: the program waits, and nobody else.
type outlet struct {
	pipe    int
	process int // program.starts
	sink    *Sink
	limit   *limiter // nil: none
	tail    *tail

	kept    []byte        // was read, and not handed on: a line that goes on, or what there is no room for
	stalled chan struct{} // nil: the sink has room; closed to end the waiting for it
	untold  int           // lines that the limit has dropped
	left    int           // bytes that are still read as cut and final say; whoever has the other end could go on for ever

	pid    int32 // of the process; 0: it is not known yet, and nothing is read before it is
	early  bool  // there was something before that
	stderr bool
	over   bool // there is nothing to come behind what is kept
	begun  bool // whether the line that kept begins with passes the limit is decided
	pass   bool // it does
	within bool // kept is in the midst of a line
	cut    bool // nobody is to wait for the sink
	final  bool // there are no more to come than are there
}

const (
	mostInPipe  = 1 << 20  // fs.pipe-max-size, as it is by default
	mostSettled = 64 << 10 // what the loop reads itself of a pipe: all that is in one of the usual size
	neverRan    = -1       // outlet.pid: of a process that has not become the program's
	mostOutlets = 32       // of a sink: those of processes that have ended, and whose pipe somebody else has still
)

func (o *outlet) fd() int { return o.pipe }

func (o *outlet) read(r *reader) (_ []any, then next) {
	if o.stalled != nil {
		return nil, idle // a word that was on its way
	}
	if o.pid == 0 {
		o.early = true
		return nil, pause
	}
	n := copy(r.buf, o.kept)
	buf := r.buf
	if o.cut || o.final {
		buf = buf[:min(len(buf), n+o.left)]
	}
	got := 0
	if n < len(buf) {
		var err error
		got, err = unix.Read(o.pipe, buf[n:])
		switch {
		case err == unix.EINTR:
			return nil, goOn
		case err == unix.EAGAIN && !o.final:
			o.cut = false
			return nil, idle
		case err != unix.EAGAIN && shortage(err):
			return nil, later // to close it would end whoever writes
		case err != nil || got == 0:
			got, o.over = 0, true
		}
		r.more = r.more || n+got == len(buf)
	}
	if o.cut || o.final {
		o.left -= got
		if o.left == 0 {
			o.over, o.cut = o.final, false
		}
	}
	return nil, o.take(r, buf[:n+got])
}

// take hands on the lines of text, and keeps the rest.
func (o *outlet) take(r *reader, text []byte) (then next) {
	for len(text) > 0 {
		line, rest, ended := bytes.Cut(text, []byte{'\n'})
		if !ended && !o.over && len(text) < longestLine {
			break // it goes on
		}
		if !o.hand(r, line, ended || o.over) {
			return o.stall(r, text)
		}
		text = rest
	}
	if !o.over {
		o.keep(text)
		return goOn
	}
	if o.within && !o.hand(r, nil, true) {
		return o.stall(r, nil)
	}
	if o.limit != nil {
		o.untold += o.limit.dropped
		o.limit.dropped = 0
	}
	if !o.tellDropped(r) {
		return o.stall(r, nil)
	}
	return finish
}

func (o *outlet) keep(text []byte) {
	switch {
	case len(text) == 0:
		o.kept = nil
		return
	case cap(o.kept) > 4*len(text):
		o.kept = append([]byte(nil), text...)
	default:
		o.kept = append(o.kept[:0], text...)
	}
}

// stall waits for room, on a goroutine that there is for no longer than that.
func (o *outlet) stall(r *reader, text []byte) next {
	o.keep(text)
	room, stalled := o.sink.room, make(chan struct{})
	o.stalled = stalled
	go func() {
		select {
		case <-room:
		case <-stalled:
		}
		runtime.Gosched() // as in reader.run
		r.mu.Lock()
		defer r.mu.Unlock()
		o.stalled = nil
		then := o.take(r, o.kept)
		for o.final && then == goOn {
			_, then = o.read(r) // the reader may have ended
		}
		if then == goOn {
			r.resume(o)
		}
		r.proceed(o, then)
	}()
	return pause
}

// hand hands on a line, or a piece of one, unless there is no room.
func (o *outlet) hand(r *reader, text []byte, ended bool) bool {
	if !o.within && !o.begun {
		o.begun, o.pass = true, true
		if o.limit != nil {
			var dropped int
			o.pass, dropped = o.limit.pass(time.Now())
			o.untold += dropped
		}
	}
	if !o.tellDropped(r) || o.pass && !o.put(r, o.stderr, text, ended, o.within) {
		return false
	}
	if k := r.keptOf(o.sink); k != nil && !o.within {
		if k.lines++; !o.pass {
			k.dropped++
		}
	}
	if len(text) > 0 || !o.within {
		o.tail.add(text)
	}
	o.begun, o.within = false, !ended
	return true
}

func (o *outlet) tellDropped(r *reader) bool {
	if o.untold > 0 && !o.put(r, true, fmt.Appendf(nil, "[%d lines dropped by rate_limit]", o.untold), true, false) {
		return false
	}
	o.untold = 0
	return true
}

// put hands over a line, or a piece of one: its end, unless more is to come; and not its beginning, when it is within.
func (o *outlet) put(r *reader, stderr bool, text []byte, ended, within bool) bool {
	s := o.sink
	if s.Offer != nil {
		if s.room = s.Offer(stderr, text, ended); s.room != nil {
			if !o.cut {
				return false
			}
			s.Line(stderr, text)
		}
	}
	if len(text) == 0 && within {
		return true
	}
	line := Line{Program: s.program, PID: int(max(0, o.pid)), Time: time.Now(), Stderr: stderr, Text: text}
	switch {
	case s.Offer != nil:
	case s.Take == nil:
		s.Line(stderr, text)
	case !s.Take(&line):
		if k := r.keptOf(s); k != nil {
			k.dropped++
		}
	}
	r.keep(s, &line)
	return true
}

// known is for the outlets of a process that runs.
func (r *reader) known(sources []source, pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range sources {
		if o, ok := s.(*outlet); ok {
			o.know(r, pid)
		}
	}
}

// know reads what was written before it was known by whom. It reads now, and is told of more from before that on: to be
// told of it later would be to read it behind what has been written to the other outlet since.
func (o *outlet) know(r *reader, pid int) {
	o.pid = int32(pid)
	if !o.early {
		return
	}
	o.early = false
	r.resume(o)
	_, then := o.read(r)
	r.proceed(o, then)
}

// settle reads what a process has left that has ended.
func (o *outlet) settle(r *reader) {
	s := o.sink
	if o.pid == 0 {
		o.know(r, neverRan)
	}
	for then, read := goOn, 0; then == goOn && read < mostSettled && r.has(o); read += longestLine {
		_, then = o.read(r)
		r.proceed(o, then)
	}
	for _, before := range s.outlets {
		if before.process < o.process {
			before.hurry()
		}
	}
	if len(s.outlets) > mostOutlets {
		s.outlets[0].letGo(r)
	}
}

// hurry has what is in the pipe read, whether the sink has room or not.
func (o *outlet) hurry() {
	if o.stalled != nil && !o.cut {
		close(o.stalled)
	}
	o.cut, o.left = true, mostInPipe
}

// letGo reads what is in the pipe and closes it, when the sink has room for that.
func (o *outlet) letGo(r *reader) {
	if o.final {
		return
	}
	o.final, o.left = true, mostInPipe
	if o.pid == 0 {
		o.know(r, neverRan)
	}
	for then := goOn; then == goOn && r.has(o); {
		_, then = o.read(r)
		r.proceed(o, then)
	}
}

func (o *outlet) gone(r *reader) {
	o.sink.leave(r, o)
	r.outputs.Done()
}

// limiter passes rate lines a second.
type limiter struct {
	rate, used, dropped int
	second              time.Time
}

// pass decides on one line; dropped is how many were not passed in the second that is over now.
func (m *limiter) pass(now time.Time) (pass bool, dropped int) {
	if now.Sub(m.second) >= time.Second {
		dropped, m.dropped = m.dropped, 0
		m.second, m.used = now, 0
	}
	if m.used < m.rate {
		m.used++
		return true, dropped
	}
	m.dropped++
	return false, dropped
}

// tail is the last lines of a program. The readers add to it, the loop looks.
type tail struct {
	lines atomic.Pointer[[]string]
}

func (t *tail) add(line []byte) {
	if t == nil {
		return
	}
	for {
		old := t.lines.Load()
		var lines []string
		if old != nil {
			lines = (*old)[max(0, len(*old)-9):]
		}
		lines = append(slices.Clone(lines), string(line))
		if t.lines.CompareAndSwap(old, &lines) {
			return
		}
	}
}

func (t *tail) String() string {
	if t == nil || t.lines.Load() == nil {
		return ""
	}
	return strings.Join(*t.lines.Load(), "\n")
}
