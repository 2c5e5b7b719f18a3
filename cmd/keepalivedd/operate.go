package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/signals"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// operateParams are those of the methods up, down, restart and signal.
type operateParams struct {
	Programs   []string   `json:"programs"`                  // names or patterns
	Timeout    float64    `json:"timeout,omitempty"`         // in seconds; 0: defaultWait
	NoWait     bool       `json:"no_wait,omitempty"`         // answer at once
	Dependents bool       `json:"with_dependents,omitempty"` // of down
	HeldSince  *time.Time `json:"held_since,omitempty"`      // of restart, see supervise.Request
	Signal     string     `json:"signal,omitempty"`          // of signal
}

type operateAnswer struct {
	Programs []supervise.Outcome `json:"programs"`
}

const (
	defaultWait = 90 * time.Second
	longestWait = 24 * time.Hour
)

// operations are the methods that do something to programs.
func (s *service) operations() map[string]control.Method {
	method := func(goal string, do operation) control.Method {
		return func(ctx context.Context, raw json.RawMessage) (any, error) { return s.operate(ctx, raw, goal, do) }
	}
	return map[string]control.Method{
		"up":      method("ready", (*supervise.Set).Up),
		"down":    method("down", (*supervise.Set).Down),
		"restart": method("ready", (*supervise.Set).Restart),
		"signal":  method("", nil),
	}
}

type operation func(*supervise.Set, context.Context, supervise.Request) ([]supervise.Outcome, error)

// operate does what the method is for; nil: it sends the signal that was asked for.
func (s *service) operate(ctx context.Context, raw json.RawMessage, goal string, do operation) (any, error) {
	var q operateParams
	if err := control.Params(raw, &q); err != nil {
		return nil, err
	}
	set := s.running.Load()
	if set == nil {
		return nil, &control.Error{Code: control.CodeRefused, Message: "it is starting: ask again"}
	}
	if len(q.Programs) == 0 {
		return nil, &control.Error{Code: control.CodeParams, Message: "no program is named"}
	}
	chosen, err := choose(set.Status(), q.Programs)
	if err != nil {
		return nil, s.orStopping(err)
	}
	r := supervise.Request{UID: control.AskerOf(ctx).UID, NoWait: q.NoWait, Dependents: q.Dependents,
		HeldSince: q.HeldSince}
	for i := range chosen {
		r.Names = append(r.Names, chosen[i].Name)
	}
	if do == nil {
		sig, err := signals.Parse(signalName(q.Signal))
		if err != nil {
			return nil, &control.Error{Code: control.CodeParams,
				Message: fmt.Sprintf("unknown signal %q: a name such as HUP, or a number", q.Signal)}
		}
		do = func(set *supervise.Set, ctx context.Context, r supervise.Request) ([]supervise.Outcome, error) {
			return set.Signal(ctx, sig, r)
		}
	}
	wait := defaultWait
	if q.Timeout > 0 {
		wait = time.Duration(min(q.Timeout, longestWait.Seconds()) * float64(time.Second))
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	outcomes, err := do(set, ctx, r)
	if err != nil {
		return nil, refused(err)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		late(outcomes, goal, wait)
	}
	return operateAnswer{outcomes}, nil
}

// late says of what is neither done nor has failed that the time is over in which it was to be ready, or down.
func late(outcomes []supervise.Outcome, goal string, wait time.Duration) {
	for i := range outcomes {
		o := &outcomes[i]
		if o.Done || o.Failed || o.Held {
			continue
		}
		why := fmt.Sprintf("not %s within %v", goal, wait)
		if o.Why != "" {
			why += ": " + o.Why
		}
		o.Why = why
	}
}

// signalName is a signal as signals.Parse takes it, where it is meant as in kill(1): STOP is SIGSTOP,
// and there is no RELOAD.
func signalName(said string) string {
	if _, err := strconv.Atoi(said); err == nil {
		return said
	}
	return "SIG" + strings.TrimPrefix(strings.ToUpper(said), "SIG")
}

// refused is why nothing was done.
func refused(err error) error {
	var required *supervise.RequiredError
	var unknown *supervise.UnknownError
	switch {
	case errors.As(err, &required):
		return &control.Error{Code: control.CodeRefused,
			Message: fmt.Sprintf("%v; to take these down too: --with-dependents", err)}
	case errors.As(err, &unknown):
		return &control.Error{Code: control.CodeParams, Message: err.Error()} // it has gone meanwhile
	}
	return &control.Error{Code: control.CodeStopping, Message: err.Error()}
}
