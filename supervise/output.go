package supervise

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Sink takes the output of a program. Line gets one line without its newline, which it does not keep, and must not block;
// it is called from one goroutine, or two with Split. A line longer than 8 KiB comes in pieces.
type Sink struct {
	Line  func(stderr bool, text []byte)
	Split bool   // standard error apart from standard output; together they keep their order
	Close func() // once nothing is to come any more; may be nil

	readers sync.WaitGroup
}

const longestLine = 8 << 10

// openOutput connects standard output and error of a command.
func (l *loop) openOutput(p *program, c *command) (done func(), err error) {
	spec := p.spec
	if spec.Output == Inherit && !spec.Required {
		c.files[1], c.files[2] = 1, 2
		return nil, nil
	}
	wanted := spec.Output != "" && spec.Output != Null
	if !wanted && !spec.Required {
		return nil, nil
	}
	x := p.more()
	if x.sink == nil {
		x.sink = l.openSink(spec)
	}
	if spec.Required && x.tail == nil && x.failed == nil {
		x.tail = &tail{}
	}
	last := x.tail
	if x.failed != nil {
		last = nil // the lines of the first try are what counts
	}
	var ends []int
	done = func() {
		for _, fd := range ends {
			unix.Close(fd)
		}
	}
	for fd := 1; fd <= 2; fd++ {
		if fd == 2 && !x.sink.Split {
			c.files[2] = c.files[1]
			break
		}
		r, w, err := openPipe("output")
		if err != nil {
			return done, err
		}
		ends = append(ends, w)
		c.files[fd] = uintptr(w)
		x.pipes.keep(r)
		x.sink.readers.Add(1)
		l.readers.Add(1)
		go func(sink *Sink) {
			defer l.readers.Done()
			defer sink.readers.Done()
			drain(r, spec, fd == 2, sink, last)
		}(x.sink)
	}
	return done, nil
}

// openSink never fails: a program whose output has nowhere to go still runs.
func (l *loop) openSink(spec *Program) *Sink {
	nowhere := &Sink{Line: func(bool, []byte) {}}
	switch {
	case spec.Output == "", spec.Output == Null:
		return nowhere
	case spec.Output == Inherit:
		return &Sink{Split: true, Line: func(stderr bool, text []byte) {
			out := os.Stdout
			if stderr {
				out = os.Stderr
			}
			out.Write(append(slices.Clone(text), '\n'))
		}}
	}
	err := errors.New("there is no Options.Output")
	if l.Output != nil {
		var s *Sink
		if s, err = l.Output(spec); err == nil {
			return s
		}
	}
	l.Log.Error("program "+spec.Name+": its output is lost", "err", err)
	return nowhere
}

func (l *loop) closeSink(p *program) {
	if p.extra != nil && p.sink != nil {
		if s := p.sink; s.Close != nil {
			l.readers.Go(func() {
				s.readers.Wait() // no longer than release has given them
				s.Close()
			})
		}
		p.sink = nil
	}
}

// drain reads a pipe to its end, whatever becomes of the lines: nobody is to wait for a reader.
func drain(r *os.File, spec *Program, stderr bool, sink *Sink, tail *tail) {
	defer r.Close()
	lines := bufio.NewReaderSize(r, longestLine)
	limit := limiter{rate: spec.RateLimit}
	for {
		text, err := lines.ReadSlice('\n')
		if n := len(text); n > 0 {
			if text[n-1] == '\n' {
				text = text[:n-1]
			}
			tail.add(text)
			pass, dropped := limit.pass(time.Now())
			if dropped > 0 {
				sink.Line(true, droppedLine(dropped))
			}
			if pass {
				sink.Line(stderr, text)
			}
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if limit.dropped > 0 {
				sink.Line(true, droppedLine(limit.dropped))
			}
			return
		}
	}
}

func droppedLine(n int) []byte { return fmt.Appendf(nil, "[%d lines dropped by rate_limit]", n) }

// limiter passes rate lines a second.
type limiter struct {
	rate, used, dropped int
	second              time.Time
}

// pass decides on one line; dropped is how many were not passed in the second that is over now.
func (m *limiter) pass(now time.Time) (pass bool, dropped int) {
	if m.rate == 0 {
		return true, 0
	}
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
