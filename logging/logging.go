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
// escaped and a line ends, with a mark, at about 8 KiB. [Log.Line] and
// [Options.Plain] are for lines that programs write.
package logging

import (
	"bytes"
	"fmt"
	"log/slog"
	"log/syslog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Options say where the log goes. The zero value is standard error at info.
type Options struct {
	// To is "syslog", "stderr" or the absolute path of a file. Empty: stderr.
	To string
	// Ident is the tag of every syslog message. Empty: the base name of
	// os.Args[0].
	Ident string
	// Facility is the syslog facility, without a severity. Zero: LOG_DAEMON,
	// because LOG_KERN, which is 0, belongs to the kernel.
	Facility syslog.Priority
	// Level is the lowest level that is logged. Zero: slog.LevelInfo.
	Level slog.Level
	// Plain writes lines to a file or standard error as they are, without time
	// and level: for the output of programs. Syslog has no use for it.
	Plain bool
}

// A Log is an open log. Its methods may be called from any goroutine.
type Log struct {
	system system
	output atomic.Pointer[output] // nil once closed
	lost   atomic.Uint64          // not told to anybody yet; outlives a Switch

	mu      sync.Mutex // one Switch or Close at a time; never held while waiting
	closed  bool
	retired []*sink // switched away from, and perhaps still writing
}

// output is what a record needs to know, replaced as a whole by Switch.
type output struct {
	sink   *sink
	level  slog.Level
	target target
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
// line is a line. Line does not wait, and does not keep text.
func (l *Log) Line(level slog.Level, text []byte) {
	text = bytes.TrimSuffix(text, []byte{'\n'})
	now := time.Now()
	l.push(level, now, func(f layout) []byte { return f.text(now, level, text) })
}

// push formats one message and queues it. It looks the output up for each,
// which is how loggers made before a Switch follow it.
func (l *Log) push(level slog.Level, at time.Time, line func(layout) []byte) {
	for {
		out := l.output.Load()
		if out == nil || level < out.level {
			return
		}
		r := record{line: line(out.sink.layout), level: level, at: at, weight: 1}
		accepted, crowded := out.sink.queue.push(r)
		if crowded {
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
	return prepare(o, l.system)
}

// Switch makes d, which l.Prepare returned, the destination of every record
// from now on. What was logged before still goes to the old destination, which
// is closed behind it without being waited for. If both are the same syslog or
// the same standard error, its connection and queue are kept and only the level
// changes. A d that was used or closed before changes nothing.
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
		l.output.Store(&output{sink: old.sink, level: d.level, target: d.target})
		return
	}
	l.output.Store(&output{
		sink:   startSink(device, d.layout, &l.lost, l.system.retry),
		level:  d.level,
		target: d.target,
	})
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
	old.sink.end(false)
	go old.sink.await(l.system.flush)
}

// Close writes what can be written within a second and closes the log. The
// error says how many messages were lost that no line in the log tells of.
// Closing again does nothing.
//
// A write that hangs for longer, in log/syslog or on a stopped terminal, can be
// neither interrupted nor closed: its goroutine is left behind, and ends when
// the write does.
func (l *Log) Close() error {
	l.mu.Lock()
	out, retired := l.output.Load(), l.retired
	l.closed, l.retired = true, nil
	l.output.Store(nil)
	l.mu.Unlock()
	if out == nil {
		return nil
	}
	out.sink.end(true)
	out.sink.await(l.system.flush)
	for _, s := range retired {
		<-s.finished // its own second began before ours
	}
	if n := l.lost.Load(); n > 0 {
		return fmt.Errorf("%d log messages lost", n)
	}
	return nil
}
