//go:build linux

package daemon

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/signals"
)

func (r *run) loop() error {
	for r.life.Err() == nil {
		if r.owesReload {
			r.owesReload = false
			r.reload()
		}
		select {
		case sig := <-r.requests.Stop:
			r.log().Info("stopping", "signal", signals.Name(sig.(unix.Signal)))
			r.fail(errAsked)
		case <-r.life.Done():
		case <-r.requests.Reload:
			r.reload()
		case q := <-r.asked:
			q.verdict <- r.decide(q.dry)
		case u := <-r.public.Load().upgrades:
			u.verdict <- r.upgrade(u)
		case <-r.requests.Dump:
			r.write("dump", r.Dump)
		case <-r.requests.Stats:
			r.write("stats", r.Stats)
		}
	}
	return r.cause()
}

// cause returns why the life ended; nil when it was asked for.
func (r *run) cause() error { return causeOf(r.life) }

func (r *run) stop() error {
	r.fail(errAsked)
	r.enter(Stopping, true)
	r.notify("STOPPING=1")
	if server := r.server.Load(); server != nil {
		server.Unwatch()
	}
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
