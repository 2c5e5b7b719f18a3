package daemon

import (
	"context"
	"io"
	"log/slog"
)

// Main is all of a program's main: [Daemon.Detach] if background, open the log, [Daemon.Run], and the status to leave
// with, that of [ExitStatus]:
//
//	os.Exit(d.Main(*background, logging.Options{To: "syslog", Ident: "echod"}.Logger))
//
// open is called in the process that is to serve, and what it returns becomes Log and slog's default; nil is standard
// error, as is Log if it was set. It is also called, and the log closed, in a process that is only to say whether it
// could take over from another. Whatever goes wrong, before the daemon is ready or after, is told both to the caller,
// on standard error or by Report, and to the log. What ends a daemon that nobody has asked to end is in the log of the
// next start as well, see [CrashFile].
//
// Four methods of what open returns as its Closer are made use of, if it has them, as a logging.Log does:
// Reopen() error is called before each Reload, so that HUP is enough after a rotation of log files, and a reload is
// refused if it fails; OnStderr() bool says that the caller sees the log, and is not to be told again; Chown(uid, gid
// int) error gives a file to User; Flush(ctx) error writes, within a second, what is left to write when another program
// takes over.
func (d *Daemon) Main(background bool, open func() (*slog.Logger, io.Closer, error)) (status int) {
	mindZone()
	if background {
		if open != nil && rehearses() {
			if err := tryToOpen(open); err != nil {
				d.report(err)
				return ExitStatus(err)
			}
		}
		if status, launched := d.Detach(); launched {
			return status
		}
	}
	seen, done := d.Log == nil, func() {}
	if open != nil {
		log, closer, err := open()
		if err != nil {
			surviveUnread()
			err = d.giveBack(err)
			d.report(err)
			return ExitStatus(err)
		}
		d.Log, seen = log, false
		if log != nil {
			slog.SetDefault(log)
		}
		if closer != nil {
			done = func() { closer.Close() }
		}
		if to, ok := closer.(interface{ Reopen() error }); ok {
			d.reopen = to.Reopen
		}
		if to, ok := closer.(interface{ Flush(context.Context) error }); ok {
			d.flush = to.Flush
		}
		if to, ok := closer.(interface{ Chown(uid, gid int) error }); ok {
			d.chown = to.Chown
		}
		if to, ok := closer.(interface{ OnStderr() bool }); ok {
			seen = to.OnStderr()
		}
	}
	err := d.Run(context.Background())
	if err != nil && !seen {
		d.log().Error("ending", "err", err)
	}
	done()
	if err != nil {
		surviveUnread()
		d.report(err)
	}
	return ExitStatus(err)
}

// tryToOpen tells why the log could not be had.
func tryToOpen(open func() (*slog.Logger, io.Closer, error)) error {
	_, closer, err := open()
	if err == nil && closer != nil {
		closer.Close()
	}
	return err
}
