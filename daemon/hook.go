//go:build linux

package daemon

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/signals"
)

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
// until the next request. A hook that does not return is left behind: the process is about to end.
func (r *run) call(ctx context.Context, cancel context.CancelCauseFunc, patience time.Duration,
	hook func(context.Context) error) error {
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
