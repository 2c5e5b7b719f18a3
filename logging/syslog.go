package logging

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"log/syslog"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// late is the age from which a message says how old it is: syslogd dates it by
// its arrival.
const late = 2 * time.Second

// syslogd is the device for syslog(3)'s socket. Package log/syslog would give all
// messages our own name and PID. It is dialled with the first message, because
// dialling fails before syslogd is up. A write to one that hangs blocks for as long
// as it hangs: so close is called only after write has returned.
type syslogd struct {
	dial     func() (*os.File, error)
	facility syslog.Priority
	tag      string
	conn     *os.File // nil until reached, and after an error
}

// syslogSockets are where syslogd may listen.
func syslogSockets() []string { return []string{"/dev/log", "/var/run/syslog", "/var/run/log"} }

// dialSyslogd connects to the first of paths where somebody listens, for datagrams or, as some do, for a stream.
func dialSyslogd(paths []string) (conn *os.File, err error) {
	for _, path := range paths {
		conn, err = dialUnix(unix.SOCK_DGRAM, path)
		if errors.Is(err, unix.EPROTOTYPE) {
			conn, err = dialUnix(unix.SOCK_STREAM, path)
		}
		if err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// dialUnix does without package net, whose Dial brings its resolver with it: 0.3 MB.
func dialUnix(kind int, path string) (*os.File, error) {
	fd, err := socket(kind)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "connect", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// batch is 0: each message is a datagram of its own.
func (d *syslogd) batch() int { return 0 }

func (d *syslogd) write(records []record) (int, error) {
	for i, r := range records {
		if err := d.send(r); err != nil {
			return i, err
		}
	}
	return len(records), nil
}

func (d *syslogd) send(r record) error {
	if d.conn != nil {
		if d.put(r) == nil {
			return nil
		}
		d.close() // syslogd may have been started anew
	}
	conn, err := d.dial()
	if err != nil {
		return fmt.Errorf("%w: %v", errAbsent, err)
	}
	d.conn = conn
	// There is a syslogd, so whatever is wrong now is wrong with the message.
	return d.put(r)
}

// put writes a message as syslog(3) does.
func (d *syslogd) put(r record) error {
	b := fmt.Appendf(nil, "<%d>%s %s[%d]: %s", int(d.facility|severity(r.level)), time.Now().Format(time.Stamp),
		cmp.Or(tagOf(r.program), d.tag), cmp.Or(r.pid, os.Getpid()), r.line)
	if !r.at.IsZero() {
		if age := time.Since(r.at); age >= late {
			b = append(b, " delayed="+age.Round(time.Second).String()...)
		}
	}
	_, err := d.conn.Write(append(b, '\n'))
	return err
}

func (d *syslogd) close() {
	if d.conn != nil {
		d.conn.Close()
		d.conn = nil
	}
}

// tagOf is a name as it can be a tag, which a colon would end.
func tagOf(name string) string { return strings.ReplaceAll(name, ":", "/") }

// severity is that of the nearest named level below, and critical from a step
// above error.
func severity(level slog.Level) syslog.Priority {
	switch {
	case level >= slog.LevelError+4:
		return syslog.LOG_CRIT
	case level >= slog.LevelError:
		return syslog.LOG_ERR
	case level >= slog.LevelWarn:
		return syslog.LOG_WARNING
	case level >= slog.LevelInfo:
		return syslog.LOG_INFO
	}
	return syslog.LOG_DEBUG
}
