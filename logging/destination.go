package logging

import (
	"errors"
	"fmt"
	"log/slog"
	"log/syslog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Destination is a place for the log that is ready to be used by
// [Log.Switch].
type Destination struct {
	target target
	level  slog.Level
	layout layout
	whose  string
	drops  bool                   // a terminal, which is not waited for
	device atomic.Pointer[device] // nil once used or closed

	options Options // that it was made of
}

// Close gives up a destination that is not wanted after all. After Switch it
// does nothing, so it can be deferred. The error is nil, always.
func (d *Destination) Close() error {
	if device := d.take(); device != nil {
		device.close()
	}
	return nil
}

// take hands the device over to the caller, once.
func (d *Destination) take() device {
	if p := d.device.Swap(nil); p != nil {
		return *p
	}
	return nil
}

// target is what makes two destinations the same.
type target struct {
	to       string
	ident    string
	facility syslog.Priority
	plain    bool
	json     bool
}

func (t target) file() bool { return t.to != "syslog" && t.to != "stderr" }

// system is what the package touches outside itself.
type system struct {
	dial   func() (*os.File, error) // to syslogd
	put    func(fd int, p []byte) (int, error)
	stderr int
	retry  time.Duration // at least between two attempts to reach syslogd
	flush  time.Duration // at most for writing what is left at the end
	linger time.Duration // at most for the same in a file that was switched away from
}

func host() system {
	return system{
		dial:   func() (*os.File, error) { return dialSyslogd(syslogSockets()) },
		put:    unix.Write,
		stderr: unix.Stderr,
		retry:  time.Second,
		flush:  time.Second,
		linger: time.Minute,
	}
}

// prepare is for [Log.Prepare]. What continues what was written before may do so in the middle of a line.
func prepare(o Options, continues bool, sys system) (*Destination, error) {
	d := &Destination{level: o.Level, whose: o.Whose, options: o}
	var dev device
	switch {
	case o.Plain && o.JSON:
		return nil, errors.New("log options: a line is either plain or JSON")
	case o.To == "" || o.To == "stderr":
		d.target = target{to: "stderr", plain: o.Plain, json: o.JSON}
		d.layout = streamLayout(sys.stderr)
		dev = &stream{fd: sys.stderr, put: sys.put, limit: batchFor(sys.stderr), turn: o.Disks.of(sys.stderr)}
	case o.To == "syslog":
		t, err := syslogTarget(o)
		if err != nil {
			return nil, err
		}
		d.target = t
		d.layout = bare
		dev = &syslogd{dial: sys.dial, facility: t.facility, tag: t.ident}
	case filepath.IsAbs(o.To):
		fd, err := openFile(o.To)
		if err != nil {
			return nil, fmt.Errorf("log file %s: %w", o.To, err)
		}
		d.target = target{to: o.To}
		d.layout = dated
		d.drops = terminal(fd)
		dev = &stream{fd: fd, put: sys.put, limit: batchFor(fd), owned: true, turn: o.Disks.of(fd), anew: !continues}
	default:
		return nil, fmt.Errorf("log destination %q: want syslog, stderr or an absolute path", o.To)
	}
	switch {
	case d.target.to == "syslog":
	case o.Plain:
		d.layout = plain
	case o.JSON:
		d.layout = objects
	}
	d.device.Store(&dev)
	return d, nil
}

func syslogTarget(o Options) (target, error) {
	t := target{to: "syslog", ident: tagOf(o.Ident), facility: o.Facility}
	if t.ident == "" {
		t.ident = filepath.Base(os.Args[0])
	}
	if t.facility == 0 {
		t.facility = syslog.LOG_DAEMON
	}
	if t.facility < 0 || t.facility > syslog.LOG_LOCAL7 || t.facility%8 != 0 {
		return target{}, fmt.Errorf("syslog facility %d: no such facility", int(t.facility))
	}
	return t, nil
}
