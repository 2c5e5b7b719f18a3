//go:build linux

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// Inherited is what a program has got that takes over from another, or from itself: nothing of it is closed, and no
// child has been waited for.
type Inherited struct {
	State json.RawMessage // what Upgrades.Save has returned
	From  string          // the version of the program before

	image    *image // nil: nothing was inherited
	files    map[string]*os.File
	document int            // the descriptor of the image
	failed   string         // why the program that was to take over from this one has not; empty: none was to
	caught   chan os.Signal // of a stop, that came before Run
	hangup   chan os.Signal // HUP, that came before it
	owed     owed
	file     *pidfile.File
	thread   func(func())
}

// owed is what a program was asked for and could not do before it became another.
type owed string

const (
	owesReload owed = "reload"
	owesStop   owed = "stop"
)

// Inherit returns what this program has inherited from the one before; nil when it has not taken over from any. A
// program that would do something before Detach or Run, and may fail there, calls it first, and puts it into
// [Daemon.Inherited]; TERM is not deadly any more then. It can be called once.
func Inherit() *Inherited {
	said, why := os.Getenv(successor), os.Getenv(returned)
	owed := owed(os.Getenv(owes))
	for _, name := range []string{successor, returned, owes} {
		os.Unsetenv(name)
	}
	fd, err := strconv.Atoi(said)
	if err != nil {
		return nil
	}
	caught, hangup := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(caught, unix.SIGTERM, unix.SIGINT)
	signal.Notify(hangup, unix.SIGHUP) // of a configuration that may have been read already when Run comes
	text, err := readSealed(fd)
	if err == nil {
		var x *image
		if x, err = decodeImage(text, false); err == nil && x.PID == os.Getpid() {
			os.WriteFile("/proc/self/comm", []byte(x.Comm), 0)
			if closeOnExec() != nil {
				for _, fd := range append(x.descriptors(), fd) {
					unix.CloseOnExec(fd)
				}
			}
			i := &Inherited{State: x.State, From: x.From, image: x, files: map[string]*os.File{}, document: fd,
				failed: why, caught: caught, hangup: hangup, owed: owed}
			for name, fd := range x.Files {
				i.files[name] = os.NewFile(uintptr(fd), name)
			}
			return i
		}
	}
	signal.Stop(caught)
	signal.Stop(hangup)
	return nil // it was meant for another process
}

// passed are what the program before was passed and has not taken.
func (i *Inherited) passed() (files []*os.File) {
	for _, f := range i.image.Passed {
		files = append(files, passedFile(f.FD, f.Name))
	}
	return files
}

// PIDFile returns the path of the pidfile; "": there is none, or nothing was inherited.
func (i *Inherited) PIDFile() string {
	if i == nil || i.image == nil {
		return ""
	}
	return i.image.PIDFile
}

// Lacks returns what there is not enough of to take over, before the Go runtime finds out, which ends the process then.
func (i *Inherited) Lacks() error { return spare() }

// File returns one of [Saved.Files], the same each time, which is the caller's to close; nil: there was none of that
// name, or, of a nil Inherited, nothing. Any goroutine may ask.
func (i *Inherited) File(name string) *os.File {
	if i == nil {
		return nil
	}
	return i.files[name] // kept, for the program before to have it if this one cannot go on
}

// Return executes the program before, to go on in the place of this one, which cannot: cause says why. It is for who
// has failed before Run, and has touched nothing of what was inherited. When it returns there is nobody to go on:
// abandon has been called with State, if it is not nil, and the pidfile is gone. The error says all of it.
func (i *Inherited) Return(cause error, abandon func(state json.RawMessage)) error {
	x := i.image
	if i.failed == "" {
		err := i.execute(cause)
		cause = fmt.Errorf("%w; nor could the program before be executed: %w", cause, err)
	} else {
		cause = fmt.Errorf("the new program could not take over: %s; nor can this one go on: %w", i.failed, cause)
	}
	if abandon != nil {
		abandon(x.State)
	}
	if x.Asked != nil { // no refusal, after which all goes on
		x.Asked.Answer(nil, &control.Error{Code: control.CodeInternal, Message: cause.Error()})
	}
	if i.file == nil && x.PIDFile != "" {
		i.file, _ = pidfile.Adopt(x.PIDFile, [2]int{x.Lock, x.Witness}, x.Stale)
	}
	if x.PIDFile != "" {
		keepWord(CrashFile(x.PIDFile), x.Word, cause)
	}
	if i.file != nil {
		for _, fd := range x.Socket {
			unix.Close(max(fd, -1))
		}
		control.Remove(control.Path(x.PIDFile))
		i.file.Release()
	}
	return cause
}

// giveBack is Return for a Daemon that may have inherited nothing: cause is returned then.
func (d *Daemon) giveBack(cause error) error {
	if d.Inherited == nil {
		d.Inherited = Inherit()
	}
	if d.Inherited == nil || d.Inherited.image == nil {
		return cause
	}
	return d.Inherited.Return(cause, d.Upgrades.Abandon)
}

func (i *Inherited) execute(cause error) (err error) {
	do := func() {
		settle()
		quiet(func() { signal.Stop(i.caught) })
		switch {
		case len(i.caught) > 0:
			i.owed = owesStop
		case len(i.hangup) > 0 && i.owed == "":
			i.owed = owesReload
		}
		env := []string{fmt.Sprintf("%s=%d", successor, i.document), returned + "=" + cause.Error(),
			owes + "=" + string(i.owed)}
		err = execute(i.image.Old, os.Args, append(i.image.descriptors(), i.document), env)
	}
	if i.thread == nil {
		do()
	} else {
		i.thread(do)
	}
	return err
}

// rehearsed is what Run returns of a rehearsal, of which all has been said.
func rehearsed(status int) error {
	if status == 0 {
		return nil
	}
	return errors.New("it cannot take over")
}

func (r *run) inheritedSocket() [2]int {
	if r.Inherited == nil {
		return [2]int{-1, -1}
	}
	return r.Inherited.image.Socket
}

// succeed is Run for a program that takes over. What can fail comes first, and leads back to the program before.
func (r *run) succeed(i *Inherited) (err error) {
	signal.Stop(i.hangup) // from now on it is in r.requests
	if len(i.hangup) > 0 && i.owed == "" {
		i.owed = owesReload
	}
	i.thread = r.Upgrades.Thread
	r.systemd, r.period = systemd(i.image.Systemd), i.image.Watchdog
	if err := r.takeOver(i); err != nil {
		settle()
		switch {
		case r.life.Err() != nil:
			i.owed = owesStop
		case len(r.requests.Reload) > 0:
			i.owed = owesReload
		}
		return i.Return(err, r.Upgrades.Abandon)
	}
	if r.file != nil {
		defer func() { err = errors.Join(err, r.file.Release()) }()
		defer r.listen()()
	}
	r.word = r.takeWord(i.image.Word)
	r.word.catch(r)
	defer r.unprotect()
	unix.Close(i.document)
	unix.Close(i.image.Old)
	r.owesReload = i.owed == owesReload
	err = r.serve()
	r.word.close()
	return err
}

func (r *run) takeOver(i *Inherited) (err error) {
	x := i.image
	if err := i.Lacks(); err != nil {
		return err
	}
	if path := r.pidfile(); x.PIDFile != path {
		return fmt.Errorf("the pidfile was changed from %q to %q in the midst of the upgrade", x.PIDFile, path)
	}
	if x.PIDFile != "" {
		if r.file, err = pidfile.Adopt(x.PIDFile, [2]int{x.Lock, x.Witness}, x.Stale); err != nil {
			return err
		}
		i.file = r.file
	}
	if x.Unwritten {
		r.log().Warn("log messages of the program before are lost: they could not be written")
	}
	r.unprotect = r.protect()
	r.makeThreads()
	if r.Start != nil {
		// Not called off by a request to stop: what runs has to be known before it can be stopped.
		ctx, end := context.WithCancelCause(context.WithoutCancel(r.life))
		if err = r.call(ctx, r.fail, r.grace(), func(ctx context.Context) error {
			return survive(func() error { return r.Start(ctx, r.fail) })
		}); err != nil {
			end(err)
			return err
		}
		context.AfterFunc(r.life, func() { end(context.Cause(r.life)) })
	}
	if r.file != nil {
		if err := r.file.Resume(r.log()); err != nil {
			r.log().Error("the pidfile says that the daemon is starting", "err", err)
		}
	}
	signal.Stop(i.caught)
	if i.owed == owesStop || len(i.caught) > 0 {
		r.log().Info("stopping: it was asked for in the midst of the upgrade")
		r.fail(errAsked)
	}
	return nil
}

// survive makes of a panic an error: there is another program to go on.
func survive(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

// tellReady answers who has asked for the upgrade.
func (i *Inherited) tellReady(r *run) {
	pause := sinceBoot() - i.image.Began
	v := Upgraded{Before: i.From, After: r.Upgrades.Version, Pause: pause.Seconds()}
	log := r.log().With("pause", pause.Round(time.Millisecond/10))
	var err error
	if i.failed == "" {
		log.Info("upgraded", "from", i.From, "to", v.After)
	} else {
		log.Error("the new program could not take over, and this one goes on", "err", i.failed)
		err = &control.Error{Code: control.CodeRefused,
			Message: "the new program could not take over, and the one before goes on: " + i.failed}
	}
	if i.image.Asked != nil {
		i.image.Asked.Answer(v, err)
	}
	i.image.closeIdle()
}
