// Package supervise keeps a set of programs running.
//
// A program that dies is started again, after keepalived's delays; a program that is stopped is stopped as a group and
// waited for; a new set of programs replaces the old one by touching only what differs. Children get a session and an
// environment of their own and nothing of this process; they die with it, kill -9 included.
//
// One goroutine owns all of it ([Set]): states and events are a table, in state.go. Linux only.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Options of a [Set]; the zero value works.
type Options struct {
	Log *slog.Logger // nil: slog.Default()
	// Fail is called, on the goroutine of the Set, with an *[EndedError] when an Essential program has ended for good.
	Fail func(error)
	// Output opens where the output of a program goes, for values of Program.Output but Null and Inherit.
	Output func(p *Program) (*Sink, error)
	// Helper says that the program calls [RunSetup] first thing in main, so that [Setup] can be had.
	Helper bool
	// Mark is a variable, NAME=value, in the environment of every child, for [EndLeftovers]; zero: none.
	Mark string
	// NoRespawn starts each program once, whatever its Restart says: for debugging.
	NoRespawn bool
	// Orphans makes this process the one that inherits what its children leave behind, as PID 1 does
	// (PR_SET_CHILD_SUBREAPER): the Set reaps those, and kills at the end those that have left their program's group. For
	// a program that starts no other children while the Set runs.
	Orphans bool
}

// EndedError is how an Essential program has ended for good.
type EndedError struct {
	Name   string
	How    string // in words
	Status int    // exit status, or 128 and the number of the signal
}

func (e *EndedError) Error() string { return "program " + e.Name + ": " + e.How }

// A Set is the programs that run. Its methods may be called from any goroutine.
type Set struct {
	requests chan any
	ended    chan struct{} // closed when the goroutine has ended
}

// New returns an empty Set; its goroutine ends with [Set.Stop].
func New(o Options) *Set {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Set{requests: make(chan any), ended: make(chan struct{})}
	go newLoop(o, s).run()
	return s
}

// errStopped is what a Set answers after Stop.
var errStopped = errors.New("the programs have been stopped")

// Apply makes the programs of this Set be the given ones: it stops what is gone, starts what is new, restarts what has
// changed and leaves the rest alone. What cannot be had (no such executable or directory, a name given twice, programs
// that wait for each other) refuses all of it before anything is touched. Apply returns when a start of every new
// program that nothing is in the way of has been tried; what has to stop first is started when it has stopped. The error
// then tells what could not be started although all had looked well; it is applied all the same, and those are tried
// again like a program that dies.
func (s *Set) Apply(ctx context.Context, programs []Program) error {
	next := make(map[string]*Program, len(programs))
	var errs []error
	for i := range programs {
		p := &programs[i]
		if err := p.check(); err != nil {
			errs = append(errs, each(p.Name, err)...)
		}
		if next[p.Name] != nil {
			errs = append(errs, fmt.Errorf("program %s: there are two of that name", p.Name))
		}
		next[p.Name] = p
	}
	if c := cycle(next); c != nil {
		errs = append(errs, fmt.Errorf("programs wait for each other: %s", arrow(c)))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.ask(ctx, func(reply chan error) any { return applyRequest{next, reply} })
}

// each puts the name of the program before every one of joined errors.
func each(name string, err error) (errs []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{fmt.Errorf("program %s: %w", name, err)}
	}
	for _, e := range joined.Unwrap() {
		errs = append(errs, each(name, e)...)
	}
	return errs
}

// Await returns nil when every Required program is ready, or done, and else the first failure of one, with the last
// lines that it wrote.
func (s *Set) Await(ctx context.Context) error {
	return s.ask(ctx, func(reply chan error) any { return awaitRequest{reply} })
}

func (s *Set) ask(ctx context.Context, request func(reply chan error) any) error {
	reply := make(chan error, 1)
	if err := s.send(ctx, request(reply)); err != nil {
		return err
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ended:
		return errStopped
	}
}

func (s *Set) send(ctx context.Context, request any) error {
	select {
	case s.requests <- request:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ended:
		return errStopped
	}
}

// Stop stops every program: each group gets its stop signal once those that come after it have ended, and KILL after its
// StopTimeout, or when ctx ends. It returns when all have ended; the error names those that even KILL has not ended half
// a second after ctx. The Set is of no use afterwards.
func (s *Set) Stop(ctx context.Context) error {
	reply := make(chan error, 1)
	select {
	case s.requests <- stopRequest{ctx, reply}:
		return <-reply
	case <-s.ended:
		return nil
	}
}

// Status of a program.
type Status struct {
	Name     string    `json:"name"`
	State    string    `json:"state"` // down, done, failed, blocked, starting, up, backoff, stopping
	PID      int       `json:"pid,omitempty"`
	Since    time.Time `json:"since"`              // when it got into its state
	Starts   int       `json:"starts"`             // processes started so far
	Failures int       `json:"failures,omitempty"` // in a row
	Last     string    `json:"last,omitempty"`     // how the last process ended
	Next     time.Time `json:"next,omitzero"`      // when it is started again
}

// Status returns the programs by name; nil after Stop.
func (s *Set) Status() []Status {
	reply := make(chan []Status, 1)
	if s.send(context.Background(), statusRequest{reply}) != nil {
		return nil
	}
	list := <-reply
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return list
}
