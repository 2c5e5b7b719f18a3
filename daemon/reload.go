//go:build linux

package daemon

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/keepalivedd/keepalivedd/control"
)

// question is asked of the loop: to reload, or to say what that would do.
type question struct {
	dry     bool
	verdict chan<- outcome
}

// errStopping is what is answered for as long as anybody can be by a daemon that does nothing new.
var errStopping = &control.Error{Code: control.CodeStopping, Message: "it is stopping"}

type outcome struct {
	touched string
	err     error
}

var errNoDryRun = errors.New("it cannot tell what a reload would do")

// answerReload waits for the loop, which does one thing after the other.
func (r *run) answerReload(_ context.Context, raw json.RawMessage) (any, error) {
	var p reloadParams
	if err := control.Params(raw, &p); err != nil {
		return nil, err
	}
	told := make(chan outcome, 1)
	select {
	case r.asked <- question{p.DryRun, told}:
	case <-r.life.Done():
		return nil, errStopping
	}
	v := <-told
	switch {
	case v.err != nil && r.life.Err() != nil:
		return nil, errStopping
	case v.err != nil:
		return nil, &control.Error{Code: control.CodeRefused, Message: v.err.Error()}
	}
	return reloadAnswer{v.touched}, nil
}

// decide is the loop's part.
func (r *run) decide(dry bool) (v outcome) {
	switch {
	case !dry:
		return r.reload()
	case r.DryRun == nil:
		return outcome{err: errNoDryRun}
	}
	v.err = r.hook(func(ctx context.Context) (err error) {
		v.touched, err = r.DryRun(ctx)
		return err
	})
	if v.err != nil {
		return outcome{err: v.err} // and not what a hook that hangs may write yet
	}
	return v
}

func (r *run) reload() (v outcome) {
	if r.Reload == nil && r.reopen == nil {
		r.log().Info("nothing to reload: the request is ignored")
		return outcome{err: errors.New("it has nothing to reload")}
	}
	r.notify(reloading())
	defer func() { r.notify(r.readyState()) }()
	touched := ""
	err := r.hook(func(ctx context.Context) error {
		if r.reopen != nil {
			if err := r.reopen(); err != nil {
				return err
			}
		}
		if r.Reload == nil {
			return nil
		}
		err := r.Reload(ctx)
		if err == nil && r.Touched != nil {
			touched = r.Touched()
		}
		return err
	})
	if err == nil {
		r.setReaders()
	}
	switch {
	case err != nil && r.life.Err() != nil:
		r.log().Error("reload called off by the stop", "err", err)
	case err != nil:
		r.log().Error("reload failed, everything goes on as before", "err", err)
	case touched != "":
		r.log().Info("reloaded", "touched", touched)
	default:
		r.log().Info("reloaded")
	}
	return outcome{touched: touched, err: err}
}
