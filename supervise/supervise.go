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
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Restart says which ends of a process lead to another one.
type Restart uint8

const (
	Always    Restart = iota
	OnFailure         // any end but exit status 0
	Never
)

// A Program is something to keep running. It is not changed once it was given to a [Set].
type Program struct {
	Name        string
	Command     []string          // the first is an absolute path
	User        *User             // nil: that of this process
	Directory   string            // zero: /
	Environment map[string]string // on top of PATH and, with a User, HOME, USER, LOGNAME and SHELL
	Output      Output
	Restart     Restart
	Backoff     Backoff
	StopSignal  syscall.Signal // zero: SIGTERM
	StopTimeout time.Duration  // from the stop signal to KILL; zero: KILL at once
}

// User is whom a program runs as. A User is shared between programs and not changed.
type User struct {
	Name     string
	UID, GID uint32
	Groups   []uint32 // supplementary
	Home     string
	Shell    string
}

// Output is where standard output and error of a program go.
type Output uint8

const (
	Null    Output = iota // /dev/null
	Inherit               // where this process has its own
)

// Options of a [Set]; the zero value works.
type Options struct {
	Log *slog.Logger // nil: slog.Default()
	// NoRespawn starts each program once, whatever its Restart says: for debugging.
	NoRespawn bool
	// Orphans reaps every child that the Set has not started: for PID 1, in a program that starts no other children.
	Orphans bool
}

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
// changed and leaves the rest alone. What cannot be had (no such executable, directory, or a name given twice) refuses
// all of it before anything is touched. Apply returns when a start of every new program has been tried; what has to
// stop first is started when it has stopped. The error then tells what could not be started although all had looked well;
// it is applied all the same, and those are tried again like a program that dies.
func (s *Set) Apply(ctx context.Context, programs []Program) error {
	next := make(map[string]*Program, len(programs))
	var errs []error
	for _, p := range programs {
		if err := p.check(); err != nil {
			errs = append(errs, fmt.Errorf("program %s: %w", p.Name, err))
		}
		if next[p.Name] != nil {
			errs = append(errs, fmt.Errorf("program %s: there are two of that name", p.Name))
		}
		next[p.Name] = &p
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r := applyRequest{next, make(chan error, 1)}
	if err := s.send(ctx, r); err != nil {
		return err
	}
	select {
	case err := <-r.reply:
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

// Stop stops every program: each group gets its stop signal now, all at once, and KILL after its StopTimeout, or when
// ctx ends. It returns when all have ended; the error names those that even KILL has not ended half a second after ctx.
// The Set is of no use afterwards.
func (s *Set) Stop(ctx context.Context) error {
	r := stopRequest{ctx, make(chan error, 1)}
	select {
	case s.requests <- r:
		return <-r.reply
	case <-s.ended:
		return nil
	}
}

// Status of a program.
type Status struct {
	Name     string    `json:"name"`
	State    string    `json:"state"` // down, queued, up, backoff, stopping, killing
	PID      int       `json:"pid,omitempty"`
	Since    time.Time `json:"since"`              // when it got into its state
	Starts   int       `json:"starts"`             // processes started so far
	Failures int       `json:"failures,omitempty"` // in a row
}

// Status returns the programs by name; nil after Stop.
func (s *Set) Status() []Status {
	r := statusRequest{make(chan []Status, 1)}
	if s.send(context.Background(), r) != nil {
		return nil
	}
	list := <-r.reply
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// check finds out what can be known before a process is started.
func (p *Program) check() error {
	if len(p.Command) == 0 {
		return errors.New("no command")
	}
	st, err := os.Stat(p.Command[0])
	switch {
	case err != nil:
		return fmt.Errorf("command: %w", err)
	case st.IsDir() || st.Mode()&0o111 == 0:
		return fmt.Errorf("command: %s: it is not an executable file", p.Command[0])
	}
	if p.Directory != "" {
		st, err := os.Stat(p.Directory)
		switch {
		case err != nil:
			return fmt.Errorf("directory: %w", err)
		case !st.IsDir():
			return fmt.Errorf("directory: %s: it is not a directory", p.Directory)
		}
	}
	if os.Geteuid() != 0 && p.User.credential() != nil {
		return fmt.Errorf("user %s: %w: only root can run programs as another user", p.User.Name, os.ErrPermission)
	}
	return nil
}
