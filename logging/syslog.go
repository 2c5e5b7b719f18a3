package logging

import (
	"fmt"
	"log/slog"
	"log/syslog"
	"time"
)

// late is the age from which a message says how old it is: syslogd dates it by
// its arrival.
const late = 2 * time.Second

// syslogd is the device that is reached through log/syslog. It is dialled with
// the first message, because dialling fails before syslogd is up. A write to
// one that hangs blocks for as long as it hangs, and log/syslog's Close would
// wait on the same mutex: so close is called only after write has returned.
type syslogd struct {
	dial     func(facility syslog.Priority, tag string) (*syslog.Writer, error)
	facility syslog.Priority
	tag      string
	conn     *syslog.Writer // nil until reached, and after an error
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
	message := string(r.line)
	if !r.at.IsZero() {
		if age := time.Since(r.at); age >= late {
			message += " delayed=" + age.Round(time.Second).String()
		}
	}
	if d.conn != nil {
		// log/syslog connects anew by itself if this connection is dead.
		if err := send(d.conn, r.level, message); err == nil {
			return nil
		}
		d.close()
	}
	conn, err := d.dial(d.facility, d.tag)
	if err != nil {
		return fmt.Errorf("%w: %v", errAbsent, err)
	}
	d.conn = conn
	// There is a syslogd, so whatever is wrong now is wrong with the message.
	return send(d.conn, r.level, message)
}

func (d *syslogd) close() {
	if d.conn != nil {
		d.conn.Close()
		d.conn = nil
	}
}

// send picks the severity: that of the nearest named level below, and critical
// from a step above error.
func send(w *syslog.Writer, level slog.Level, message string) error {
	switch {
	case level >= slog.LevelError+4:
		return w.Crit(message)
	case level >= slog.LevelError:
		return w.Err(message)
	case level >= slog.LevelWarn:
		return w.Warning(message)
	case level >= slog.LevelInfo:
		return w.Info(message)
	}
	return w.Debug(message)
}
