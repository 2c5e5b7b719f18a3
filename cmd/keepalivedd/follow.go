package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// atOnce is how many lines of events are sent at a time.
const atOnce = 64

// answerEvents is the stream of events.
func (s *service) answerEvents(ctx context.Context, raw json.RawMessage, to *control.Follower) error {
	var q statusParams
	if err := control.Params(raw, &q); err != nil {
		return err
	}
	for _, pattern := range q.Programs {
		if _, err := means(pattern, ""); err != nil {
			return err
		}
	}
	err := s.hear(ctx, q.Programs, func(lines []*eventLine) error {
		for _, line := range lines {
			if err := put(to, line); err != nil {
				return err
			}
		}
		return to.Flush() // it is the queue of the listener that overflows, where there is one place to tell of that
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// feedOf is the command that gets the events, for the Set to keep running; nil: there is none.
func (s *service) feedOf(c *settings.Config) *supervise.Feed {
	if c.Events == nil {
		return nil
	}
	return &supervise.Feed{Command: c.Events.Command, Last: s.events.end, Serve: func(ctx context.Context, to *os.File) {
		s.hear(ctx, nil, func(lines []*eventLine) error {
			var text bytes.Buffer
			for _, line := range lines {
				said, err := json.Marshal(line)
				if err != nil {
					return err
				}
				text.Write(append(said, '\n'))
			}
			_, err := to.Write(text.Bytes())
			return err
		})
	}}
}

// hear sends a snapshot, and then the events, until there are no more of them, a send fails, or ctx ends. A send may
// take its time. After a loss there is another snapshot: what is told next follows from that.
func (s *service) hear(ctx context.Context, names []string, send func([]*eventLine) error) error {
	l := newListener(names)
	defer s.events.leave(l)
	all := s.snapshot(l)
	if _, err := choose(all.programs, names); err != nil {
		return s.orStopping(err)
	}
	for {
		if err := all.send(send); err != nil {
			return err
		}
		for all = nil; all == nil; {
			lines, lost, over := s.events.take(l)
			for some := range slices.Chunk(lines, atOnce) {
				if err := send(some); err != nil {
					return err
				}
			}
			switch {
			case lost:
				all = s.snapshot(l)
			case over:
				return nil
			case len(lines) > 0:
			default:
				select {
				case <-l.wake:
				case <-ctx.Done():
					return nil
				}
			}
		}
	}
}

// snapshot is how all is at the moment after event n.
type snapshot struct {
	first    []*eventLine
	n        uint64
	programs []supervise.Status
	chosen   []*supervise.Status
	last     []*eventLine
}

// snapshot has l hear of what comes after it. The Set is asked for the programs, and l joins at that very moment.
func (s *service) snapshot(l *listener) *snapshot {
	a, joined := &snapshot{}, false
	var lost int
	var over bool
	join := func() {
		a.n, lost, over = s.events.join(l)
		joined = true
	}
	if set := s.told.Load(); set != nil {
		a.programs = set.StatusAt(join)
	}
	if !joined { // there are no programs yet, or none any more
		join()
	}
	now := time.Now()
	if lost > 0 {
		a.first = append(a.first, &eventLine{Event: eventLost, N: a.n, Time: now, Lines: lost})
	}
	if over {
		a.last = append(a.last, &eventLine{Event: eventStopped, N: a.n, Time: now})
	}
	for i := range a.programs {
		if p := &a.programs[i]; l.hears(p.Name) {
			a.chosen = append(a.chosen, p)
		}
	}
	count := len(a.chosen)
	a.first = append(a.first, &eventLine{Event: eventSnapshot, N: a.n, Time: now, Version: 1, Release: versionText(),
		PID: os.Getpid(), State: s.daemon.State(), Programs: &count})
	return a
}

func (a *snapshot) send(send func([]*eventLine) error) error {
	if err := send(a.first); err != nil {
		return err
	}
	for some := range slices.Chunk(a.chosen, atOnce) {
		lines := make([]*eventLine, len(some))
		for i, p := range some {
			lines[i] = &eventLine{Event: eventProgram, N: a.n, Time: p.Since, Program: p.Name, State: p.State, PID: p.PID,
				Starts: p.Starts, Failures: p.Failures, Last: p.Last, Why: p.Why}
		}
		if err := send(lines); err != nil {
			return err
		}
	}
	if len(a.last) == 0 {
		return nil
	}
	return send(a.last)
}

// endEvents gives those who follow a moment to hear of the end, before the socket is closed.
func (s *service) endEvents(ctx context.Context) {
	s.events.end()
	select {
	case <-s.events.alone:
	case <-time.After(200 * time.Millisecond): // one that has paused does not keep the daemon
	case <-ctx.Done():
	}
}

// put is [control.Follower.Put] of what is not encoded yet.
func put(to *control.Follower, v any) error {
	said, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return to.Put(said)
}

// follow is [control.Follow] of a daemon that has something to say at once, unless it hangs.
func follow(ctx context.Context, path string, pid int, method string, params any,
	each func(line json.RawMessage, lost int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(promptly, func() { cancel(context.DeadlineExceeded) })
	err := control.Follow(ctx, control.Path(path), pid, method, params, func(line json.RawMessage, lost int) error {
		silent.Stop()
		return each(line, lost)
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return &daemon.UnaskedError{PID: pid, Err: err}
	}
	return err
}

// events prints the stream, until the daemon has stopped.
func (o *options) events(path string) int {
	pid, err := pidOf(path)
	if err != nil {
		return fail(err)
	}
	over := false
	err = follow(context.Background(), path, pid, "events", statusParams{o.names},
		func(line json.RawMessage, lost int) error {
			if lost > 0 {
				line, _ = json.Marshal(&eventLine{Event: eventLost, Time: time.Now(), Lines: lost})
			}
			var what struct {
				Event string `json:"event"`
			}
			if err := json.Unmarshal(line, &what); err != nil {
				return err
			}
			over = what.Event == eventStopped
			_, err := os.Stdout.Write(append(slices.Clip(line), '\n'))
			return err
		})
	var told *control.Error
	switch {
	case over && (err == nil || errors.As(err, &told) && told.Code == control.CodeStopping):
		return ok
	case errors.As(err, &told) && told.Code == control.CodeParams:
		fail(err)
		return statusUnknown
	}
	return fail(err)
}
