//go:build linux

package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/pidfile"
	"github.com/keepalivedd/keepalivedd/signals"
)

// Run is the life of the daemon. It returns nil after a stop that was asked for by a signal, by ctx or by fail(nil),
// and otherwise what went wrong, from the first check on; a pidfile that a live process holds is a
// *[pidfile.HeldError]. In the copy that Detach has made a stop before it is ready is an error as well: that start has
// failed. When it returns, nothing of the daemon is left but what a hook has left behind. Call it once.
func (d *Daemon) Run(ctx context.Context) (err error) {
	defer func() { d.copy.explain(err) }()
	mindZone()
	if status, is := d.Rehearse(); is {
		return rehearsed(status)
	}
	if d.Inherited == nil {
		d.Inherited = Inherit()
	}
	switch {
	case d.Inherited != nil && d.Inherited.image == nil:
		return errors.New("the Inherited of this daemon is none that Inherit has returned")
	case d.Inherited == nil && d.Upgrades.Save != nil:
		brace()
	}
	requests, others, release := signals.NotifyFirst()
	if !d.Childless || d.Inherited != nil {
		others()
	}
	if err := closeOnExec(); err != nil {
		return d.giveBack(err)
	}
	unix.Umask(d.umask())
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	d.publish(life.Done())
	if d.Inherited != nil {
		d.passed = d.Inherited.passed()
	} else if d.passed == nil {
		d.passed = takePassed()
	}
	r := &run{Daemon: d, requests: requests, others: others, release: release, asked: make(chan question), life: life,
		statuses: make(chan struct{}, mostStatuses), fail: failing(end), systemd: systemdSocket(), period: d.watchdogTime()}
	defer func() {
		if !r.Exits {
			r.release()
		}
	}()
	r.enter(Starting, true)
	defer func() {
		if err != nil {
			r.notify(statusState(err.Error()))
		}
	}()
	if os.Getpid() == 1 && !d.Reaps {
		defer reapOrphans()()
	}
	if d.Inherited != nil {
		return r.succeed(d.Inherited)
	}
	return r.begin()
}

// begin is the life of a daemon that takes over from none, from its checks on.
func (r *run) begin() (err error) {
	if r.copy == nil { // else the launcher has looked
		if err := spare(); err != nil {
			return err
		}
	}
	who, err := r.account()
	if err != nil {
		return err
	}
	if r.file, err = r.hold(who); err != nil {
		return err
	}
	if r.file != nil {
		defer func() { err = errors.Join(err, r.file.Release()) }()
	}
	r.word = r.openLastWord()
	r.word.catch(r)
	err = r.live(who)
	r.word.close() // not when this panics, which is what it is for
	return err
}

// live is the life of a daemon that holds its pidfile, if it has one.
func (r *run) live(who *account) (err error) {
	defer r.protect()()
	if !r.Childless {
		r.makeThreads()
	}
	if err = r.start("privileged", r.Privileged); err == nil {
		err = r.drop(who)
	}
	if r.file != nil && err == nil {
		defer r.listen()()
	}
	if err == nil && r.Start != nil {
		err = r.start("start", func(ctx context.Context) error { return r.Start(ctx, r.fail) })
	}
	if errors.Is(err, errAsked) && r.copy == nil {
		return nil
	}
	if err != nil {
		return err
	}
	return r.serve()
}

// serve is the life of a daemon that is ready.
func (r *run) serve() (err error) {
	r.setReaders()
	defer r.watchdog()()
	err = r.ready()
	served := r.State() == Running
	if err == nil {
		if r.Childless {
			r.others()
			r.makeThreads()
		}
		err = r.loop()
	}
	err = errors.Join(err, r.stop())
	if served {
		r.word.say(err)
	}
	return err
}

// inner is what a Daemon has beside what the caller has said.
type inner struct {
	score   score
	copy    *backgroundCopy // set by Detach in the background copy
	passed  []*os.File      // by the caller, see Passed
	crashed bool
	public  atomic.Pointer[public] // set by Run
}

// run is a Daemon that runs. Its goroutine is the one that called Run.
type run struct {
	*Daemon
	requests   signals.Requests
	others     func() // catches those that are not yet
	release    func() // ends the catching of those
	owesReload bool   // that was asked for before an upgrade, or one that was refused
	unprotect  func() // of a program that has taken over
	asked      chan question
	statuses   chan struct{} // that are being asked for
	life       context.Context
	fail       context.CancelCauseFunc
	systemd    systemd
	period     time.Duration                  // of systemd's watchdog; 0: none
	file       *pidfile.File                  // nil: no pidfile
	word       *lastWord                      // nil: none
	server     atomic.Pointer[control.Server] // nil: nobody can ask
	// listenLater has somebody try to listen until that can be.
	listenLater func(err error)
	readers     atomic.Pointer[int] // Readers, for the goroutine that tries to listen
}

// errHung means that a hook did not return although its context had ended.
var errHung = errors.New("it did not return in time")

// hold takes the pidfile, or takes it over from the launcher, and writes the PID: stop and reload can be asked for.
func (r *run) hold(who *account) (*pidfile.File, error) {
	var file *pidfile.File
	var err error
	switch {
	case r.copy != nil:
		file = r.copy.file
		r.copy.onOrphaned(r.fail)
	case r.PIDFile != "":
		if err = r.makeDirectory(who); err == nil {
			file, err = pidfile.Lock(r.PIDFile)
		}
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
	if err := file.Watch(r.log()); err != nil {
		r.log().Warn("the pidfile is not watched: it would not be put back", "err", err)
	}
	return file, nil
}

// start calls one of the hooks before the daemon is ready.
func (r *run) start(what string, hook func(context.Context) error) error {
	if hook == nil {
		return nil
	}
	err := r.call(r.life, r.fail, r.grace()+time.Second, hook)
	switch {
	case r.life.Err() == nil || err == nil:
		return err
	case errors.Is(err, errHung):
		return fmt.Errorf("%s: %w", what, errors.Join(r.cause(), err))
	case r.cause() != nil:
		return r.cause()
	}
	return errAsked
}
