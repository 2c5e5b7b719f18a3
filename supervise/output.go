package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Sink takes the output of a program, as text that it does not keep. Its functions may be called from several
// goroutines.
type Sink struct {
	// Line gets one line without its newline, and must not block. A line longer than 8 KiB comes in pieces. It may be nil
	// where there is Take, and no Offer.
	Line func(stderr bool, text []byte)
	// Take, unless it is nil, is called in place of Line, and is told whose line it is. It reports whether the line gets
	// to where it should; [Status.OutputDropped] counts those that do not.
	Take func(*Line) (taken bool)
	// Offer is for a Sink that drops nothing. Unless it is nil it is called in place of Line: it takes the text and
	// returns nil, or it takes nothing and returns a channel that is closed when it is to be called again. The program's
	// output is not read meanwhile, so that the program waits, and nobody else does. ended says whether the line ends
	// here. What a process has left unread is given to Line when the one after it has ended too, and a minute after the
	// program has been removed.
	Offer func(stderr bool, text []byte, ended bool) (room <-chan struct{})
	Split bool // standard error apart from standard output; together they keep their order
	// Optional has the program be started, and write to nowhere, where there is no descriptor for its output, or but a few
	// are left, in place of being tried again until there is.
	Optional bool
	// Lost returns how many lines, of those that it has taken, have not got to where they should, so far, for
	// [Status.OutputDropped]. It must not wait. nil: none.
	Lost  func() uint64
	Close func() // once nothing is to come any more; may be nil

	output  string // what it was opened for
	program string // whose lines are kept; zero: they are not
	kept    *kept  // nil: it has said nothing
	outlets []*outlet
	room    <-chan struct{} // of the last Offer
	closing bool
}

const longestLine = 8 << 10

// openOutput connects standard output and error of a command.
func (l *loop) openOutput(p *program, c *command) (done func(), err error) {
	spec := p.spec
	if p.sink != nil && p.sink.output != spec.Output {
		before := l.closeSink(p)
		defer func() {
			if before != nil && (p.sink == nil || p.sink.kept != before) {
				l.reader.forget(before) // it is for the others to know what it says, now
			}
		}()
		if spec.Output != Null && spec.Output != Inherit {
			l.reopenSink(p, before)
		}
	}
	if spec.Output == Inherit && !spec.Required {
		c.files[1], c.files[2] = 1, 2
		return nil, nil
	}
	if spec.Output == Null && !spec.Required {
		return nil, nil
	}
	if p.sink == nil {
		l.reopenSink(p, nil)
	}
	last := p.tailFor(spec)
	var ends []int
	done = func() {
		for _, fd := range ends {
			unix.Close(fd)
		}
	}
	for fd := 1; fd <= 2; fd++ {
		if fd == 2 && !p.sink.Split {
			c.files[2] = c.files[1]
			break
		}
		w, err := l.openOutlet(p, &outlet{process: p.starts, sink: p.sink, stderr: fd == 2, tail: last})
		switch {
		case err == nil:
			if c.user != nil { // for it to open as /dev/stderr; not ours to give away unless we are root
				unix.Fchown(w, int(c.user.UID), int(c.user.GID))
			}
			ends = append(ends, w)
			c.files[fd] = uintptr(w)
		case !p.sink.Optional || !shortage(err):
			return done, err
		case fd == 1:
			l.withoutOutput(p, err)
			return done, nil
		default:
			c.files[2] = c.files[1]
		}
	}
	return done, nil
}

// openOutlet opens a pipe that is read, and returns the end of it that is for the process.
func (l *loop) openOutlet(p *program, o *outlet) (w int, err error) {
	if o.pipe, w, err = o.sink.openPipe(); err != nil {
		return -1, err
	}
	if p.spec.RateLimit > 0 {
		o.limit = &limiter{rate: p.spec.RateLimit}
	}
	if err = l.reader.add(o); err != nil {
		unix.Close(o.pipe)
		unix.Close(w)
		return -1, err
	}
	p.sources = append(p.sources, o)
	return w, nil
}

// openPipe leaves some descriptors for what needs them, if it can do without.
func (s *Sink) openPipe() (r, w int, err error) {
	r, w, err = openPipe()
	if err != nil || !s.Optional {
		return r, w, err
	}
	limit := descriptors()
	if limit >= roomy && r < above || limit < roomy && uint64(w)+min(above, limit/4) >= limit {
		unix.Close(r)
		unix.Close(w)
		return -1, -1, fmt.Errorf("pipe: %w", unix.EMFILE)
	}
	return r, w, nil
}

// withoutOutput tells that the process of p has nowhere to write to: there may be thousands of those.
func (l *loop) withoutOutput(p *program, err error) {
	if l.silent++; loud(l.silent) {
		l.Log.Error(p.says("its output is lost: no descriptors are left for it; raise the limit, with ulimit -n"),
			"err", err, "so far", l.silent)
	}
}

// tailFor is where the last lines of a Required program go at its first try; those are what counts.
func (p *program) tailFor(spec *Program) *tail {
	if !spec.Required {
		return nil
	}
	x := p.withFeatures()
	if x.firstError != nil {
		return nil
	}
	if x.tail == nil {
		x.tail = &tail{}
	}
	return x.tail
}

// reopenSink gives p another sink, and what was kept before.
func (l *loop) reopenSink(p *program, before *kept) {
	p.sink = l.openSink(p.spec)
	p.sink.output = p.spec.Output
	if p.spec.Output != Null {
		p.sink.program, p.sink.kept = p.spec.Name, before
	}
}

// openSink never fails: a program whose output has nowhere to go still runs.
func (l *loop) openSink(spec *Program) *Sink {
	nowhere := &Sink{Line: func(bool, []byte) {}}
	switch {
	case spec.Output == "":
		return &Sink{Split: true, Optional: true, Take: l.logLine}
	case spec.Output == Null:
		return nowhere
	case spec.Output == Inherit:
		return newInherited(os.Stdout, os.Stderr).sink()
	}
	err := errors.New("there is no Options.Output")
	if l.Output != nil {
		var s *Sink
		s, err = l.Output(spec)
		switch {
		case err != nil:
		case s == nil || s.Line == nil && (s.Take == nil || s.Offer != nil):
			err = errors.New("Options.Output has given nothing that takes a line")
		default:
			return s
		}
	}
	l.Log.Error("program "+spec.Name+": its output is lost", "err", err)
	return nowhere
}

// logLine is the way of a line to Options.Log. What begins it no message of ours begins with.
func (l *loop) logLine(line *Line) bool {
	level := slog.LevelInfo
	if line.Stderr {
		level = slog.LevelWarn
	}
	l.Log.Log(context.Background(), level, fmt.Sprintf("%s[%d]: %s", line.Program, line.PID, line.Text))
	return true
}

// closeSink returns what is kept of the sink, which is the caller's then.
func (l *loop) closeSink(p *program) (before *kept) {
	if p.sink != nil {
		before = l.reader.closeSink(p.sink)
		p.sink = nil
	}
	return before
}

// closeSink closes a sink once all is read that comes to it.
func (r *reader) closeSink(s *Sink) (before *kept) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return s.close(r)
}

func (s *Sink) close(r *reader) (before *kept) {
	s.closing = true
	if s.kept != nil {
		s.kept.dropped = s.dropped()
	}
	before, s.kept = s.kept, nil
	if len(s.outlets) == 0 {
		s.leave(r, nil)
		return before
	}
	time.AfterFunc(time.Minute, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, o := range s.outlets {
			o.hurry()
		}
	})
	return before
}

// dropped is how many of the lines that are kept count of have not got to where they should.
func (s *Sink) dropped() uint64 {
	if s.Lost == nil {
		return s.kept.dropped
	}
	return min(s.kept.lines, s.kept.dropped+s.Lost()) // which may be of pieces
}

// leave takes note of an outlet that has ended.
func (s *Sink) leave(r *reader, o *outlet) {
	s.outlets = slices.DeleteFunc(s.outlets, func(other *outlet) bool { return other == o })
	if s.closing && len(s.outlets) == 0 && s.Close != nil {
		r.outputs.Go(s.Close) // which may take its time
	}
}

// lastLines waits for what the programs have written before their end to be taken: two seconds at most. Whoever still
// has their pipes is let go. A sink that has no room yet is not waited for longer than that; its outlets go on.
func (l *loop) lastLines(ctx context.Context) {
	l.reader.letGo()
	taken := make(chan struct{})
	go func() {
		l.reader.outputs.Wait()
		close(taken)
	}()
	t := time.NewTimer(2 * time.Second)
	defer t.Stop()
	select {
	case <-taken:
		return
	case <-t.C:
		return
	case <-ctx.Done():
	}
	t.Reset(250 * time.Millisecond)
	select {
	case <-taken:
	case <-t.C:
	}
}
