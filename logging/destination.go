package logging

import (
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
	device atomic.Pointer[device] // nil once used or closed
}

// Close gives up a destination that is not wanted after all. After Switch it
// does nothing, so it can be deferred.
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
}

func (t target) file() bool { return t.to != "syslog" && t.to != "stderr" }

// system is what the package touches outside itself.
type system struct {
	dial   func(facility syslog.Priority, tag string) (*syslog.Writer, error)
	put    func(fd int, p []byte) (int, error)
	stderr int
	retry  time.Duration // at least between two attempts to reach syslogd
	flush  time.Duration // at most for writing what is left at the end
}

func host() system {
	return system{
		dial: func(facility syslog.Priority, tag string) (*syslog.Writer, error) {
			return syslog.Dial("", "", facility, tag)
		},
		put:    unix.Write,
		stderr: unix.Stderr,
		retry:  time.Second,
		flush:  time.Second,
	}
}

func prepare(o Options, sys system) (*Destination, error) {
	d := &Destination{level: o.Level}
	var dev device
	switch {
	case o.To == "" || o.To == "stderr":
		d.target = target{to: "stderr", plain: o.Plain}
		d.layout = streamLayout(sys.stderr)
		dev = &stream{fd: sys.stderr, put: sys.put, limit: batchFor(sys.stderr)}
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
		dev = &stream{fd: fd, put: sys.put, limit: batchFor(fd), owned: true}
	default:
		return nil, fmt.Errorf("log destination %q: want syslog, stderr or an absolute path", o.To)
	}
	if o.Plain && d.target.to != "syslog" {
		d.layout = plain
	}
	d.device.Store(&dev)
	return d, nil
}

func syslogTarget(o Options) (target, error) {
	t := target{to: "syslog", ident: o.Ident, facility: o.Facility}
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
