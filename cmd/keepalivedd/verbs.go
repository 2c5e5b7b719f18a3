package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// promptly is for questions that a daemon in good health answers at once.
const promptly = 5 * time.Second

// talk carries out a verb. Nothing which is wrong with the daemon but that it does not run can keep it from being told
// of or signalled: for that the pidfile is enough.
func (o *options) talk() int {
	c := o.override(settings.Salvage(o.file))
	if c.PIDFile == "none" {
		return o.failed(errors.New("there is no pidfile (none), so the daemon cannot be found: name it with -p FILE"))
	}
	if o.pid == "" {
		c.PIDFile = find(o.file, c.PIDFile)
		if err := lost(o.file, c.PIDFile); err != nil {
			return o.failed(err)
		}
	}
	switch o.verb {
	case "status":
		return o.status(c.PIDFile)
	case "metrics":
		return o.metrics(c.PIDFile)
	case "events":
		return o.events(c.PIDFile)
	case "logs":
		return o.logs(c.PIDFile)
	case "reload":
		return o.reload(c.PIDFile)
	case "upgrade":
		return o.upgrade(c.PIDFile)
	case "up", "down", "restart", "signal":
		return o.act(c.PIDFile)
	}
	return stop(c)
}

// lost tells that nobody holds the pidfile that was taken for the daemon's, and yet that is not to say that none runs:
// it went with its directory, or the one that the configuration names cannot be known, which this user may not read.
func lost(file, path string) error {
	if pid := robbed(file, path); pid != 0 {
		return fmt.Errorf("pid %d runs with %s, and cannot put its pidfile back: make its directory, mkdir -p %s, "+
			"and see its log; or kill -TERM %[1]d", pid, file, filepath.Dir(path))
	}
	if st, err := pidfile.Look(path); err != nil || st.State != pidfile.Free {
		return nil
	}
	if err := unix.Faccessat(unix.AT_FDCWD, file, unix.R_OK, unix.AT_EACCESS); errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: cannot read the configuration, which has the pidfile: %w", file, err)
	}
	return nil
}

// failed is fail, for whatever was asked for: of status, every error is the same status.
func (o *options) failed(err error) int {
	status := fail(err)
	if o.verb == "status" {
		return statusUnknown
	}
	return status
}

// reload leaves the check to the daemon, which logs and counts what it refuses. What is wrong is looked for here too
// only where the daemon has not said it, or has and it is to be shown with its place.
func (o *options) reload(path string) int {
	ask := daemon.AskReload
	if o.dryRun {
		ask = daemon.DryRun
	}
	touched, err := ask(path, 0)
	if touched != "" {
		fmt.Println(touched)
	}
	var refused *daemon.RefusedError
	var unasked *daemon.UnaskedError
	if errors.As(err, &refused) || errors.As(err, &unasked) {
		if _, wrong := o.loadWhole(); wrong != nil && (unasked != nil || wrong.Error() == refused.Reason) {
			err = wrong
		}
	}
	return fail(err)
}

// stop ends also what a daemon that was killed had left behind, and tells of a daemon that has to be killed before it
// is.
func stop(c *settings.Config) int {
	ran, err := daemon.Stop(c.PIDFile, daemon.StopOptions{
		Patience: promptly,
		Budget:   c.ShutdownTimeout,
		Killing:  func(why error) { fail(why) },
		Left: func() {
			if pids := endLeft(c.PIDFile); len(pids) > 0 {
				fmt.Printf("ended what the daemon, which was killed, had left behind: pids %v\n", pids)
			}
		},
	})
	if !ran {
		fmt.Printf("%s is not running\n", name)
	}
	var killed *daemon.KilledError
	if errors.As(err, &killed) {
		fail(killed.Err)
		return failure
	}
	return fail(err)
}
