package logging

import (
	"errors"
	"io"
	"log/slog"

	"golang.org/x/sys/unix"
)

// Logger opens the log that o describes, as [Open] does, and returns its logger and the [Log], to be closed: for
// the Main of package daemon.
func (o Options) Logger() (*slog.Logger, io.Closer, error) {
	l, err := Open(o)
	if err != nil {
		return nil, nil, err
	}
	return l.Logger(), l, nil
}

// Reopen opens the file anew that l goes to, to follow logrotate; where that cannot be done, l goes on in the old one.
// It does nothing to another destination.
func (l *Log) Reopen() error {
	out := l.output.Load()
	if out == nil || !out.target.file() {
		return nil
	}
	to, err := l.Prepare(out.options)
	if err == nil {
		l.Switch(to)
	}
	return err
}

// OnStderr tells whether l goes to standard error.
func (l *Log) OnStderr() bool {
	out := l.output.Load()
	return out != nil && out.target.to == "stderr"
}

// Chown gives the file that l goes to to another user, who can reopen it then, in a directory of its own. It does
// nothing to another destination, and refuses a file that has another name too: that may be anybody's. Call it before
// l is switched or closed.
func (l *Log) Chown(uid, gid int) error {
	out := l.output.Load()
	if out == nil || !out.target.file() {
		return nil
	}
	to, ok := out.sink.device.(*stream)
	if !ok {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(to.fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil
	}
	if st.Nlink != 1 {
		return errors.New("log file " + out.target.to + ": it has another name too, and is not given away")
	}
	return unix.Fchown(to.fd, uid, gid)
}
