package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// A RefusedError says why a daemon has refused to reload; everything goes on there as before.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// An UnaskedError says that a daemon runs, and could not be asked.
type UnaskedError struct {
	PID  int
	HUP  bool // it was sent SIGHUP instead
	Late bool // it has been asked, and has not answered in time
	Err  error
}

func (e *UnaskedError) Error() string {
	switch {
	case e.Late:
		return fmt.Sprintf("pid %d has been asked to reload and has not said in time whether it did: see its log", e.PID)
	case e.HUP:
		return fmt.Sprintf("sent HUP to pid %d, but what came of it could not be asked: see its log (%v)", e.PID, e.Err)
	}
	return fmt.Sprintf("pid %d runs, but could not be asked: %v", e.PID, e.Err)
}

func (e *UnaskedError) Unwrap() error { return e.Err }

// What goes over the socket for reload and budget.
type (
	reloadParams struct {
		DryRun bool `json:"dry_run"`
	}
	reloadAnswer struct {
		Touched string `json:"touched"`
	}
	budgetAnswer struct {
		Seconds  float64 `json:"seconds"`
		Stopping bool    `json:"stopping,omitempty"` // somebody has asked for that already
	}
)

// Reload is [AskReload] for who does not want to know what was touched.
func Reload(path string, patience time.Duration) error {
	_, err := AskReload(path, patience)
	return err
}

// AskReload asks the daemon that holds the pidfile path to reload, for which the caller must be allowed to signal it,
// and waits for its verdict: what it has touched, in its own words, or a *[RefusedError]. No daemon is
// [pidfile.ErrNotRunning], one that is still starting a *[pidfile.HeldError], and one that the caller may not signal an
// [fs.ErrPermission]. Patience bounds the wait; zero: 90 s. A daemon that cannot be asked is sent SIGHUP, and an
// *[UnaskedError] says so; so it does, without a signal, of one that has not answered in time.
func AskReload(path string, patience time.Duration) (touched string, err error) {
	return askReload(path, patience, false)
}

// DryRun asks the daemon that holds the pidfile path what a reload would touch now, and is like AskReload but that
// nothing is touched, and no signal sent.
func DryRun(path string, patience time.Duration) (touched string, err error) {
	return askReload(path, patience, true)
}

func askReload(path string, patience time.Duration, dry bool) (touched string, err error) {
	p, err := pidfile.Find(path)
	if err != nil {
		return "", err
	}
	defer p.Close()
	if err := p.May(unix.SIGHUP); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), orDefault(patience, 90*time.Second))
	defer cancel()
	var answer reloadAnswer
	err = ask(ctx, path, p.PID, "reload", reloadParams{dry}, &answer)
	var told *control.Error
	var unreachable *control.UnreachableError
	switch {
	case err == nil:
		return answer.Touched, nil
	case errors.As(err, &unreachable) && unreachable.Sent && ctx.Err() != nil && !dry:
		return "", &UnaskedError{PID: p.PID, Late: true, Err: err}
	case errors.As(err, &unreachable):
	case errors.As(err, &told) && told.Code == control.CodeRefused:
		return "", &RefusedError{told.Message}
	case errors.As(err, &told) && told.Code == control.CodeStopping:
		return "", fmt.Errorf("%w any more: pid %d is stopping", pidfile.ErrNotRunning, p.PID)
	}
	if p.Wait(0) {
		return "", fmt.Errorf("%w any more: pid %d has ended", pidfile.ErrNotRunning, p.PID)
	}
	if dry {
		return "", &UnaskedError{PID: p.PID, Err: err}
	}
	if err := p.Signal(unix.SIGHUP); err != nil {
		return "", err
	}
	return "", &UnaskedError{PID: p.PID, HUP: true, Err: err}
}

// ask asks the daemon that holds the pidfile path with that PID; one that has given up its privileges is believed where
// it is proven to be that.
func ask(ctx context.Context, path string, pid int, method string, params, result any) error {
	if pidfile.Proven(path) == pid {
		return control.AskProven(ctx, control.Path(path), pid, method, params, result)
	}
	return control.AskPID(ctx, control.Path(path), pid, method, params, result)
}

// AskBudget asks the daemon that holds the pidfile path how long it allows itself to end, were it to stop now. It notes
// who asks, see [Daemon.Askers]. Patience bounds the wait; zero: 5 s. No daemon is [pidfile.ErrNotRunning]; any other
// error means that it could not be asked.
func AskBudget(path string, patience time.Duration) (time.Duration, error) {
	answer, err := askBudget(path, patience)
	return time.Duration(answer.Seconds * float64(time.Second)), err
}

func askBudget(path string, patience time.Duration) (answer budgetAnswer, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), orDefault(patience, 5*time.Second))
	defer cancel()
	st, err := pidfile.Look(path)
	if err != nil {
		return answer, err
	}
	switch st.State {
	case pidfile.Free, pidfile.Stale:
		return answer, pidfile.ErrNotRunning
	case pidfile.Starting:
		return answer, &pidfile.HeldError{Path: path}
	}
	err = ask(ctx, path, st.PID, "budget", nil, &answer)
	return answer, err
}
