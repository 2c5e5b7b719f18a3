// Package logging opens the log of a daemon: an [slog.Logger] over syslog, a
// file or standard error that never makes its caller wait.
//
// Every destination has one bounded queue and one goroutine that writes. A
// syslogd that hangs or is not there, a full disk, a stopped terminal or a pipe
// that nobody reads costs messages, never time: what does not fit is counted,
// and as soon as writing works again the line "N log messages lost" stands, at
// warning, where they are missing. A log that nothing is written to wakes
// nobody up.
//
// Records are one line each, whatever is in them: control characters are
// escaped and a line ends, with a mark, at about 8 KiB. With [Options.JSON] each is a
// JSON object. [Log.Line], [Log.Say] and [Options.Plain] are for lines that programs
// write; and [Log.Offer] for those of them that can wait. It loses nothing to a disk that is slow: it says
// that there is no room, and when there is. What is lost to an error, of a full disk above all, is counted and
// told like any other loss.
package logging

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"log/syslog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options say where the log goes. The zero value is standard error at info.
type Options struct {
	// To is "syslog", "stderr" or the absolute path of a file. Empty: stderr.
	To string
	// Ident is the tag of every syslog message, with / for a colon, which would
	// end it: rsyslog's programname is what comes before the /. Empty: the base
	// name of os.Args[0].
	Ident string
	// Facility is the syslog facility, without a severity. Zero: LOG_DAEMON,
	// because LOG_KERN, which is 0, belongs to the kernel.
	Facility syslog.Priority
	// Level is the lowest level that is logged. Zero: slog.LevelInfo.
	Level slog.Level
	// Plain writes lines to a file or standard error as they are, without time
	// and level: for the output of programs. Syslog has no use for it.
	Plain bool
	// JSON has a file or standard error get one JSON object a line, as [slog.JSONHandler] writes it: time, level and
	// msg, and attributes and groups. A message of [Log.Line], of [Log.Offer] and of losses has the first three; one of
	// [Log.Say] has also program and pid. A msg ends, with a mark, at about 8 KiB; an object of more than 64 KiB has no
	// attributes but "cut":true. Syslog keeps its own form. Not together with Plain.
	JSON bool
	// Whose stands before the line that tells of losses in a Plain destination, for
	// the reader to know whose they are.
	Whose string
	// Continues says that another Log of the same destination has been flushed just now: a Plain file may end in the
	// middle of a line that goes on.
	Continues bool
	// Disks is shared by logs that are many; nil for one that waits for no other.
	Disks *Disks
}

// A Log is an open log. Its methods may be called from any goroutine. What is logged after Close is dropped, and not
// counted.
type Log struct {
	system system
	output atomic.Pointer[output] // nil once closed
	lost   losses                 // outlives a Switch

	mu      sync.Mutex // one Switch or Close at a time; never held while waiting
	closed  bool
	hurried bool
	retired []*sink // switched away from, and perhaps still writing
}

// output is what a record needs to know, replaced as a whole by Switch.
type output struct {
	sink    *sink
	level   slog.Level
	target  target
	options Options
}

// Open opens the log. It fails if the options make no sense or the file cannot
// be opened, see [Log.Prepare]; for syslog it does neither fail nor wait,
// whatever state syslogd is in.
func Open(o Options) (*Log, error) {
	return open(o, host())
}

func open(o Options, sys system) (*Log, error) {
	l := &Log{system: sys}
	d, err := l.Prepare(o)
	if err != nil {
		return nil, err
	}
	l.Switch(d)
	return l, nil
}

// Logger returns a logger that writes to l. It and all loggers derived from it
// stay valid for ever: they follow every Switch, level included, and drop their
// records after Close.
func (l *Log) Logger() *slog.Logger {
	return slog.New(&handler{log: l})
}

// Line logs one line of text as it is, for lines that others have written: an
// [slog.Record] is neither made nor needed. It looks like a message without
// attributes, but a tab stays a tab. A Plain destination gets every byte as it
// is, escape sequences for a terminal included.
//
// A newline at the end of text is not needed; any other is escaped, because a
// line is a line. Line does not wait, and does not keep text. It does not yield
// either, as a record does in a burst: who hands over many lines may hold a lock, and
// is to let others run now and then.
func (l *Log) Line(level slog.Level, text []byte) {
	text = bytes.TrimSuffix(text, []byte{'\n'})
	now := time.Now()
	l.push(level, now, false, func(f layout) []byte { return f.text(now, level, text) })
}

// Say logs a line of a program that somebody else is: name[pid] is where syslog has
// the tag, with / for a colon, and stands before the line in other places, where what
// program writes cannot pass for a message; in JSON they are members of the object. It
// is [Log.Line] otherwise, but that level only tells standard error apart, and
// Options.Level hides none; and that half of the queue is not for these. A line that finds its half full is not taken:
// it is counted and told of like any other loss. In a Plain destination nothing stands before it.
func (l *Log) Say(name string, pid int, level slog.Level, text []byte) (taken bool) {
	now := time.Now()
	for {
		out := l.output.Load()
		if out == nil {
			return false
		}
		r := record{line: out.sink.layout.said(now, name, pid, level, text), level: level, at: now, weight: 1,
			program: name, pid: pid}
		taken, closed := out.sink.queue.admit(r)
		if !closed {
			return taken
		}
		// Switched away while we were formatting.
	}
}

// Dropped returns how many messages have been lost so far, those that the log tells of
// included.
func (l *Log) Dropped() uint64 { return l.lost.total.Load() }

// OnFailure has f told, by a goroutine of the log, why messages are lost when writing begins to fail, as on a full
// disk, and at most once a minute: the line that tells of losses cannot be written then. f does not wait, and logs to
// another Log. It is not told of what is lost because nobody takes it, or too slowly.
func (l *Log) OnFailure(f func(error)) { l.lost.because.Store(&f) }

// Offer is [Log.Line] for those who can wait: it drops nothing. It takes text and
// returns nil; or, when about 64 KiB wait to be written, it takes nothing and
// returns a channel that is closed when it is worth another try. A disk that is
// slow so slows down those who write to it, and a write that fails is a loss like
// any other: waiting for room on a disk might be for ever. A terminal is never waited
// for.
//
// In a Plain destination text that has not ended its line is continued by the next,
// so that a line may be of any length. Other destinations make a line of each.
func (l *Log) Offer(level slog.Level, text []byte, ended bool) (room <-chan struct{}) {
	now := time.Now()
	for {
		out := l.output.Load()
		if out == nil || level < out.level {
			return nil
		}
		r := record{line: out.sink.layout.piece(now, level, text, ended), level: level, at: now, weight: 1}
		room, accepted := out.sink.queue.offer(r)
		if accepted || room != nil {
			return room
		}
		// Switched away while we were formatting.
	}
}

// Hurry ends the waiting: from now on Offer takes all there is, and when the bounds
// of the queue are reached the oldest is lost, as with Line.
func (l *Log) Hurry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hurried = true
	if out := l.output.Load(); out != nil {
		out.sink.queue.hurry()
	}
}

// push formats one message and queues it. It looks the output up for each,
// which is how loggers made before a Switch follow it.
func (l *Log) push(level slog.Level, at time.Time, yields bool, line func(layout) []byte) {
	for {
		out := l.output.Load()
		if out == nil || level < out.level {
			return
		}
		r := record{line: line(out.sink.layout), level: level, at: at, weight: 1}
		accepted, crowded := out.sink.queue.push(r)
		if crowded && yields {
			// A burst on a single processor would otherwise fill the queue
			// before its reader is ever scheduled. This never waits for it.
			runtime.Gosched()
		}
		if accepted {
			return
		}
		// Switched away while we were formatting.
	}
}

// Prepare does everything about going over to o that can fail, and changes
// nothing yet. A file is opened anew even if o is what l has now: that is how
// to follow logrotate. It is created with mode 0640 if it is missing, and
// refused if it is anything but a regular file or a character device, a
// symbolic link included.
//
// The result is for one call of [Log.Switch], or [Destination.Close].
func (l *Log) Prepare(o Options) (*Destination, error) {
	return prepare(o, o.Plain && (o.Continues || l.output.Load() != nil), l.system)
}

// Switch makes d, which l.Prepare returned, the destination of every record
// from now on. What was logged before still goes to the old destination, which
// is closed behind it without being waited for. If both are the same syslog or
// the same standard error, its connection and queue are kept and only the level
// changes. A d that was used or closed before changes nothing; after Close it is
// closed.
func (l *Log) Switch(d *Destination) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		d.Close()
		return
	}
	device := d.take()
	if device == nil {
		return
	}
	old := l.output.Load()
	if old != nil && old.target == d.target && !d.target.file() {
		device.close()
		l.output.Store(&output{old.sink, d.level, d.target, d.options})
		return
	}
	next := startSink(device, d.layout, d.whose, &l.lost, l.system.retry)
	if l.hurried || d.drops {
		next.queue.hurry()
	}
	l.output.Store(&output{next, d.level, d.target, d.options})
	if old == nil {
		return
	}
	running := l.retired[:0]
	for _, s := range l.retired {
		if !s.over() {
			running = append(running, s)
		}
	}
	l.retired = append(running, old.sink)
	bound := l.system.flush
	if old.target.file() {
		bound = l.system.linger // what was offered is not lost but to a disk that hangs
	}
	old.sink.end(false)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), bound)
		defer cancel()
		old.sink.await(ctx)
	}()
}

// UnwrittenError is of [Log.Flush].
type UnwrittenError struct {
	Left   uint64 // messages that are not written yet: lost, if the process ends, and counted as such by nobody
	Untold uint64 // messages that were lost before, and that no line of the log tells of yet
}

func (e *UnwrittenError) Error() string {
	return fmt.Sprintf("%d log messages are not written", e.Left+e.Untold)
}

// Flush waits until all that was logged before is written, or is lost, or there is no syslogd to take it: for a process
// that is about to become another program, and may go on after all. The error is an *[UnwrittenError]: what ctx was too
// short for, what nobody is there for, and what was lost before.
func (l *Log) Flush(ctx context.Context) error {
	l.mu.Lock()
	sinks := slices.Clone(l.retired) // switched away from
	if out := l.output.Load(); out != nil {
		sinks = append(sinks, out.sink)
	}
	l.mu.Unlock()
	e := &UnwrittenError{}
	for _, s := range sinks {
		e.Left += s.queue.drain(ctx)
	}
	if e.Untold = l.lost.untold.Load(); e.Left+e.Untold > 0 {
		return e
	}
	return nil
}

// Lose counts messages as lost that somebody else was to write, as an [UnwrittenError] says: for a Log that goes on
// where another has ended. The line that tells of losses tells of these too.
func (l *Log) Lose(messages uint64) {
	l.lost.add(record{weight: messages})
}

// Close writes what can be written within a second and closes the log. The
// error says how many messages were lost that no line in the log tells of.
// Closing again does nothing.
func (l *Log) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), l.system.flush)
	defer cancel()
	return l.CloseContext(ctx)
}

// CloseContext is [Log.Close] with as much time as ctx gives.
//
// A write that hangs for longer, to syslogd or on a stopped terminal, can be
// neither interrupted nor closed: its goroutine is left behind, and ends when
// the write does.
func (l *Log) CloseContext(ctx context.Context) error {
	l.mu.Lock()
	out, retired := l.output.Load(), l.retired
	l.closed, l.retired = true, nil
	l.output.Store(nil)
	l.mu.Unlock()
	if out == nil {
		return nil
	}
	out.sink.end(true)
	out.sink.await(ctx)
	for _, s := range retired {
		s.join(ctx)
	}
	if n := l.lost.untold.Load(); n > 0 {
		return fmt.Errorf("%d log messages lost", n)
	}
	return nil
}
