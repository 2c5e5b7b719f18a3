//go:build linux

package daemon

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/signals"
)

// errExited is for a hook that leaves by [runtime.Goexit], as the FailNow of a test does.
var errExited = errors.New("it has ended its goroutine, and said nothing")

// startHasCrashed is called before the process dies: a start leaves no pidfile behind. That of a copy belongs to the
// launcher as well, which sees its end. Who crashes later leaves it, as one does that is killed.
func (r *run) startHasCrashed() {
	if r.State() != Starting || r.copy != nil || r.file == nil {
		return
	}
	if server := r.server.Load(); server != nil {
		server.Close()
	}
	r.file.Release()
}

func (r *run) write(what string, hook func(context.Context) error) {
	if hook == nil {
		return
	}
	if err := r.hook(hook); err != nil {
		r.log().Error(what+" failed", "err", err)
	}
}

// hook calls one between the start and the stop.
func (r *run) hook(hook func(context.Context) error) error {
	r.enter(Running, true)
	defer r.enter(Running, false)
	return r.call(r.life, r.fail, r.grace(), hook)
}

// call runs a hook to its end. A request to stop ends ctx by cancel; from then on the hook has patience to return, or
// until the next request. A hook that does not return is left behind: the process is about to end. One that panics
// ends it at once.
func (r *run) call(ctx context.Context, cancel context.CancelCauseFunc, patience time.Duration,
	hook func(context.Context) error) error {
	returned := make(chan error, 1)
	go func() {
		err := errExited
		defer func() {
			if p := recover(); p != nil {
				r.startHasCrashed()
				panic(p)
			}
			returned <- err
		}()
		err = hook(ctx)
	}()
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
