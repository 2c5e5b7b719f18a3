package daemon

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// StopOptions of [Stop]; the zero value works.
type StopOptions struct {
	// Patience bounds how long the daemon is given to say what it allows itself; zero: 5 s.
	Patience time.Duration
	// Budget is waited for when the daemon cannot say what it allows itself; zero: 12 s,
	// which is what a Grace of zero makes.
	Budget time.Duration
	// Killing is told that the daemon is about to be killed, and why. Nil: nobody is; see [KilledError].
	Killing func(why error)
	// Left is called, with the pidfile's lock held, before the pidfile of a daemon that did not come to remove it is
	// removed: to end what it had started. Nil: nothing.
	Left func()
}

// A KilledError says that a daemon had to be killed, because it ran on for longer than it allows itself.
type KilledError struct {
	PID   int
	After time.Duration
	Err   error // of what it has left behind; nil: that was removed
}

func (e *KilledError) Error() string {
	text := fmt.Sprintf("pid %d still ran after %v, longer than it allows itself, and was killed", e.PID, e.After)
	if e.Err != nil {
		text += "; " + e.Err.Error()
	}
	return text
}

func (e *KilledError) Unwrap() error { return e.Err }

// Stop sends TERM to the daemon that holds the pidfile path, and waits for its end: for longer than it allows itself,
// as it says, and then it is killed, which is a *[KilledError]. One that cannot be asked is not killed, and that it
// runs on is an error. One that is stopped itself, by SIGSTOP, is sent CONT first. One that stops already is waited
// for, and not sent another TERM, which would end the waiting. What a daemon that was killed has left behind is
// removed, pidfile and socket. Ran is false when there was none that ran, which is no error. One that is still starting
// is a *[pidfile.HeldError], and one that the caller may not signal an [fs.ErrPermission]: nothing was done.
func Stop(path string, o StopOptions) (ran bool, err error) {
	p, err := pidfile.Find(path)
	if err == nil {
		defer p.Close()
		err = p.May(unix.SIGTERM)
	}
	if errors.Is(err, pidfile.ErrNotRunning) {
		return false, o.clean(path)
	}
	if err != nil {
		return true, err
	}
	p.Signal(unix.SIGCONT) // one that is stopped itself would answer nothing, and never end
	const margin = 5 * time.Second
	answer, unasked := askBudget(path, o.Patience)
	budget := time.Duration(answer.Seconds * float64(time.Second))
	if unasked != nil {
		budget = orDefault(o.Budget, 12*time.Second)
	}
	wait := budget + margin
	if !answer.Stopping { // a second TERM would end what the first is waited for
		if err := p.Signal(unix.SIGTERM); errors.Is(err, pidfile.ErrNotRunning) {
			return false, o.clean(path)
		} else if err != nil {
			return true, err
		}
	}
	if p.Wait(wait) {
		o.endLeft(path) // it may have been killed meanwhile
		return true, nil
	}
	if unasked != nil {
		return true, fmt.Errorf("pid %d was sent TERM, and still runs after %v\n"+
			"it is not killed, because it could not be asked how long it allows itself: %w\n"+
			"wait for it, or, if it hangs: kill -KILL %d", p.PID, wait, unasked, p.PID)
	}
	if o.Killing != nil {
		o.Killing(fmt.Errorf("pid %d still runs after %v, longer than it allows itself: killing it", p.PID, wait))
	}
	if err := p.Signal(unix.SIGKILL); err != nil && !errors.Is(err, pidfile.ErrNotRunning) {
		return true, err
	}
	if !p.Wait(5 * time.Second) {
		return true, fmt.Errorf("pid %d runs on even after KILL", p.PID)
	}
	return true, &KilledError{p.PID, wait, o.clean(path)}
}

// clean removes what a dead daemon has left.
func (o *StopOptions) clean(path string) error {
	o.endLeft(path)
	if pid, err := pidfile.Running(path); err != nil || pid != 0 {
		return err
	}
	return control.Remove(control.Path(path))
}

// endLeft has what is left of a daemon that was killed ended, and then removes its pidfile: without that the next start
// could not know that there is anything to be ended.
func (o *StopOptions) endLeft(path string) {
	if st, err := pidfile.Look(path); err != nil || st.State != pidfile.Stale {
		return
	}
	f, err := pidfile.Lock(path)
	if err != nil {
		return // clean tells
	}
	defer f.Release()
	if o.Left != nil {
		o.Left()
	}
	control.Remove(control.Path(path))
}
