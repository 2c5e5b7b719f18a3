//go:build !linux

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"

	"github.com/keepalivedd/keepalivedd/signals"
)

// inner is where the Daemon is in its life.
type inner struct{ state atomic.Pointer[string] }

func CrashFile(path string) string { return strings.TrimSuffix(path, ".pid") + ".crash" }

func MakeThreads(int) {}

func CheckUser(string) error { return nil }

func (d *Daemon) Askers() []int            { return nil }
func (d *Daemon) Crashed() bool            { return false }
func (d *Daemon) Fork(run func())          { run() }
func (d *Daemon) Forking() (forked func()) { return func() {} }

// Inherited is what a program has got that takes over from another: none does.
type Inherited struct {
	State json.RawMessage
	From  string
}

func Continues() bool                                                  { return false }
func Inherit() *Inherited                                              { return nil }
func (i *Inherited) File(string) *os.File                              { return nil }
func (i *Inherited) Lacks() error                                      { return nil }
func (i *Inherited) PIDFile() string                                   { return "" }
func (i *Inherited) Return(cause error, _ func(json.RawMessage)) error { return cause }
func (d *Daemon) Rehearse() (status int, is bool)                      { return 0, false }
func (d *Daemon) Upgrade(context.Context, string, bool) (Upgraded, error) {
	return Upgraded{}, &UpgradeError{"only on Linux can it be upgraded in place: restart it"}
}

func (d *Daemon) Passed() []*os.File                 { return nil }
func (d *Daemon) Listeners() ([]net.Listener, error) { return nil, nil }

func rehearses() bool                      { return false }
func (d *Daemon) giveBack(err error) error { return err }

// Detach leaves the process in the foreground.
func (d *Daemon) Detach() (status int, launched bool) {
	d.report(errors.New("only Linux has a background: it stays in the foreground"))
	return 0, false
}

// State returns in which part of its life the daemon is.
func (d *Daemon) State() string {
	if s := d.state.Load(); s != nil {
		return *s
	}
	return ""
}

func (d *Daemon) enter(state string) { d.state.Store(&state) }

// Run is the life of the daemon, as far as there can be one.
func (d *Daemon) Run(ctx context.Context) error {
	requests, release := signals.Notify()
	defer release()
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	fail := failing(end)
	d.enter(Starting)
	if d.User != "" {
		return errors.New("only on Linux can it become another user")
	}
	go func() { // one that asks for a stop while a hook runs is heard
		select {
		case <-requests.Stop:
			fail(errAsked)
		case <-life.Done():
		}
	}()
	var err error
	if d.Privileged != nil {
		err = d.Privileged(life)
	}
	if d.Start != nil && err == nil {
		err = d.Start(life, fail)
	}
	if err != nil {
		return err
	}
	d.enter(Running)
	d.log().Info("ready, without a pidfile: this is not Linux", "pid", os.Getpid())
	if d.Ready != nil {
		d.Ready()
	}
	for life.Err() == nil {
		select {
		case <-life.Done():
		case <-requests.Reload:
			d.try(life, "reload", d.reload)
		case <-requests.Dump:
			d.try(life, "dump", d.Dump)
		case <-requests.Stats:
			d.try(life, "stats", d.Stats)
		}
	}
	cause := causeOf(life)
	d.enter(Stopping)
	if d.Stop != nil {
		bounded, end := context.WithTimeout(context.Background(), d.grace())
		defer end()
		cause = errors.Join(cause, d.Stop(bounded))
	}
	return cause
}

func (d *Daemon) reload(ctx context.Context) error {
	if d.reopen != nil {
		if err := d.reopen(); err != nil {
			return err
		}
	}
	if d.Reload == nil {
		return nil
	}
	return d.Reload(ctx)
}

func (d *Daemon) try(ctx context.Context, what string, hook func(context.Context) error) {
	if hook == nil {
		return
	}
	if err := hook(ctx); err != nil {
		d.log().Error(what+" failed", "err", err)
	}
}
