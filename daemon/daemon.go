// Package daemon runs three functions as a Unix daemon.
//
// A [Daemon] says what to do at the start, at a reload and at the stop; [Daemon.Run] owns the order that everybody gets
// wrong: signals, lock, start, ready, loop, stop, unlink. [Daemon.Detach] before it puts the process into the
// background and tells the caller the truth about the start. Hooks run one at a time, so they need no locks.
//
// Linux only. One Daemon per process.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
	"github.com/keepalivedd/keepalivedd/signals"
)

// A Daemon is what runs. Every field may be zero. It is not copied or changed once Detach or Run has been called.
type Daemon struct {
	Name    string       // in messages to the caller; zero: the base name of the executable
	PIDFile string       // held from the start to the end; zero: none
	Log     *slog.Logger // what happens to the daemon; nil: slog.Default()
	Umask   int          // of this process and so of its children; zero: 022

	// Grace bounds Stop, and how long Start and Reload may take to return after their context has ended; zero: 10 s.
	Grace time.Duration
	// ReadyFD is a descriptor that the caller has passed on to be told of readiness, by a newline, as s6 does; zero: none.
	ReadyFD int
	// StartTimeout bounds how long Detach waits for the background copy to be ready; zero: 90 s.
	StartTimeout time.Duration

	// Env is added, as NAME=value, to the environment of the background copy; what the caller has set wins.
	Env []string

	// Report tells the caller of Detach why there is no daemon, where that is for this process to tell; nil: in one line
	// on standard error, after Name.
	Report func(err error)

	// Start brings the daemon up and returns when it serves; the daemon is ready then. ctx lives as long as the daemon:
	// it ends with the request to stop, so while Start runs it means that the start is called off. fail stops the
	// daemon later, from any goroutine: Run returns the error, or nil for fail(nil). A Start that fails has cleaned up
	// after itself. Nil: nothing to start.
	Start func(ctx context.Context, fail context.CancelCauseFunc) error
	// Reload is asked for by SIGHUP, and by [Reload] from another process. All of it takes effect or, with an error, nothing; the error is logged. ctx ends
	// with the request to stop. Nil: the request is logged and ignored.
	Reload func(ctx context.Context) error
	// Stop ends what Start began, and returns when it has ended. ctx ends after Grace or when a stop is asked for a
	// second time: what has not ended by then is to be ended by force, within a second. Nil: nothing to stop.
	Stop func(ctx context.Context) error
	// Dump and Stats are asked for by SIGUSR1 and SIGUSR2: write the state, write the counters. Nil: ignored.
	Dump, Stats func(ctx context.Context) error

	// Status is what the daemon says of itself to [pidfile.Ask], at any time from the PID being in the file until the end;
	// each call has a goroutine of its own. Nil: nothing.
	Status func() string

	// Reaps says that the hooks reap every child of the process, as package supervise can. Else Run, as PID 1, reaps
	// the orphans that the kernel hands to it: those that no os.Process of ours refers to.
	Reaps bool

	copy    *backgroundCopy // set by Detach in the background copy
	crashed bool
}

// Crashed reports, to the hooks, whether the previous owner of the pidfile has left it behind: what it had started may be
// left too.
func (d *Daemon) Crashed() bool { return d.crashed }

// Run is the life of the daemon. It returns nil after a stop that was asked for by a signal, by ctx or by fail(nil), and
// otherwise what went wrong, from the first check on; a pidfile that a live process holds is a *pidfile.HeldError.
// When it returns, nothing of the daemon is left but what a hook has left behind.
func (d *Daemon) Run(ctx context.Context) (err error) {
	requests, release := signals.Notify()
	defer release()
	if err := closeOnExec(); err != nil {
		return err
	}
	unix.Umask(orDefault(d.Umask, 0o022))
	life, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	r := &run{Daemon: d, requests: requests, asked: make(chan chan<- error), life: life, fail: fail, systemd: systemdSocket()}
	if os.Getpid() == 1 && !d.Reaps {
		defer reapOrphans()()
	}
	if r.file, err = r.hold(); err != nil {
		return err
	}
	if r.file != nil {
		defer func() { err = errors.Join(err, r.file.Release()) }()
	}
	if err := r.start(); errors.Is(err, errAsked) && d.copy == nil {
		return nil
	} else if err != nil {
		return err
	}
	forgetCrash := r.keepCrash()
	if err = r.ready(); err == nil {
		err = r.loop()
	}
	err = errors.Join(err, r.stop())
	forgetCrash()
	return err
}

// run is a Daemon that runs. Its goroutine is the one that called Run.
type run struct {
	*Daemon
	requests signals.Requests
	asked    chan chan<- error // to reload, and to be told how it went
	life     context.Context
	fail     context.CancelCauseFunc
	systemd  systemd
	file     *pidfile.File // nil: no pidfile
}

// errAsked is the cause of a life that ended because it was asked for.
var errAsked = errors.New("it was called off before it was ready")

// errHung means that a hook did not return although its context had ended.
var errHung = errors.New("it did not return in time")

// hold takes the pidfile, or takes it over from the launcher, and writes the PID: stop and reload can be asked for.
func (r *run) hold() (*pidfile.File, error) {
	var file *pidfile.File
	var err error
	switch {
	case r.copy != nil:
		file = r.copy.file
		r.copy.onOrphaned(r.fail)
	case r.PIDFile != "":
		file, err = pidfile.Lock(r.PIDFile)
	}
	if file == nil || err != nil {
		return nil, err
	}
	if err := file.Write(); err != nil {
		return nil, err
	}
	if r.crashed = file.Stale(); r.crashed && r.copy != nil { // the launcher has told the caller, not the log
		r.log().Warn("the previous daemon was killed, or crashed: it has left its pidfile", "path", r.PIDFile)
	}
	if err := file.Watch(r.log(), r.answer); err != nil {
		r.log().Warn("the pidfile is not watched: it would not be put back", "err", err)
	}
	return file, nil
}

func (r *run) start() error {
	if r.Start == nil {
		return nil
	}
	err := r.call(r.life, r.fail, r.grace(), func(ctx context.Context) error { return r.Start(ctx, r.fail) })
	switch {
	case r.life.Err() == nil || err == nil:
		return err
	case errors.Is(err, errHung):
		return fmt.Errorf("start: %w", errors.Join(r.cause(), err))
	case r.cause() != nil:
		return r.cause()
	}
	return errAsked
}

// ready tells everybody who waits that the daemon serves, unless its end has come already.
func (r *run) ready() error {
	if r.life.Err() != nil {
		return nil
	}
	if r.copy != nil {
		if err := r.copy.ready(); err != nil {
			return err
		}
	}
	r.notify("READY=1")
	if r.ReadyFD > 0 {
		unix.Write(r.ReadyFD, []byte("\n"))
		unix.Close(r.ReadyFD)
	}
	r.log().Info("ready", "pid", os.Getpid())
	return nil
}

func (r *run) loop() error {
	for r.life.Err() == nil {
		select {
		case sig := <-r.requests.Stop:
			r.log().Info("stopping", "signal", signals.Name(sig.(unix.Signal)))
			r.fail(errAsked)
		case <-r.life.Done():
		case <-r.requests.Reload:
			r.reload()
		case verdict := <-r.asked:
			verdict <- r.reload()
		case <-r.requests.Dump:
			r.write("dump", r.Dump)
		case <-r.requests.Stats:
			r.write("stats", r.Stats)
		}
	}
	return r.cause()
}

// cause returns why the life ended; nil when it was asked for.
func (r *run) cause() error {
	cause := context.Cause(r.life)
	if errors.Is(cause, errAsked) || errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		return nil
	}
	return cause
}

func (r *run) reload() error {
	if r.Reload == nil {
		r.log().Info("nothing to reload: the request is ignored")
		return errors.New("it has nothing to reload")
	}
	r.notify(reloading())
	defer r.notify("READY=1")
	err := r.call(r.life, r.fail, r.grace(), r.Reload)
	if err != nil {
		r.log().Error("reload failed, everything goes on as before", "err", err)
	} else {
		r.log().Info("reloaded")
	}
	return err
}

func (r *run) write(what string, hook func(context.Context) error) {
	if hook == nil {
		return
	}
	if err := r.call(r.life, r.fail, r.grace(), hook); err != nil {
		r.log().Error(what+" failed", "err", err)
	}
}

func (r *run) stop() error {
	r.fail(errAsked)
	r.notify("STOPPING=1")
	if r.file != nil {
		r.file.Unwatch()
	}
	if r.Stop != nil {
		bounded, end := context.WithTimeout(context.Background(), r.grace())
		defer end()
		now, cancel := context.WithCancelCause(bounded)
		defer cancel(nil)
		if err := r.call(now, cancel, time.Second, r.Stop); err != nil {
			return fmt.Errorf("stop: %w", err)
		}
	}
	r.log().Info("stopped")
	return nil
}

// call runs a hook to its end. A request to stop ends ctx by cancel; from then on the hook has patience to return, or
// until the next request. A hook that does not return is left behind: the process is about to end.
func (r *run) call(ctx context.Context, cancel context.CancelCauseFunc, patience time.Duration, hook func(context.Context) error) error {
	returned := make(chan error, 1)
	go func() { returned <- hook(ctx) }()
	ended := ctx.Done()
	var hung <-chan time.Time
	for {
		select {
		case err := <-returned:
			return err
		case sig := <-r.requests.Stop:
			if hung != nil {
				return errHung
			}
			r.log().Info("stopping now", "signal", signals.Name(sig.(unix.Signal)))
			cancel(errAsked)
		case <-ended:
			ended = nil
			hung = time.After(patience)
		case <-hung:
			return errHung
		}
	}
}

func (d *Daemon) log() *slog.Logger {
	if d.Log != nil {
		return d.Log
	}
	return slog.Default()
}

func (d *Daemon) name() string {
	if d.Name != "" {
		return d.Name
	}
	return filepath.Base(os.Args[0])
}

func (d *Daemon) report(err error) {
	if d.Report != nil {
		d.Report(err)
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", d.name(), err)
}

func (d *Daemon) grace() time.Duration { return orDefault(d.Grace, 10*time.Second) }

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
