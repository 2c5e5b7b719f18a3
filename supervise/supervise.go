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
	"log/slog"
	"sort"
	"time"
)

// Options of a [Set]; the zero value works.
type Options struct {
	Log *slog.Logger // nil: slog.Default()
	// Fail is called, on the goroutine of the Set, with an *[EndedError] when an Essential program has ended for good.
	Fail func(error)
	// Changed is called, on the goroutine of the Set, when the state of a program or a hold has changed, or a check has
	// failed; not for what else [Set.Status] tells, what a program says of itself for one. It must not wait.
	// Nil: nobody wants to know.
	Changed func()
	// Event is called, on the goroutine of the Set, at each change of a program's state, in their order. It must not wait.
	// Nil: nobody wants to know.
	Event func(Event)
	// Output opens where the output of a program goes, for values of Program.Output but zero, Null and Inherit.
	Output func(p *Program) (*Sink, error)
	// Line is called for each line of output that is kept, see [Set.Lines], in their order. It must neither wait nor keep
	// the Line. Nil: nobody wants to know.
	Line func(*Line)
	// Helper says that the program calls [RunSetup] first thing in main, so that [Setup] can be had.
	Helper bool
	// Mark is a variable, NAME=value, in the environment of every child, for [EndLeftovers]; in that of a program with
	// KillProcess it is NAME_SPARED=value instead. With Orphans, and without Cgroup, NAME_PROGRAM has the name of the
	// program: whoever has left its group with that environment ends as with a Cgroup. Zero: none.
	Mark string
	// Fork is called, on the thread that starts children, in place of each call of fork, and is to call fork once. It is
	// for what a child inherits, and this process is to have for itself, such as the score of daemon.Daemon.Fork. Nil:
	// fork is called. It does not return before the exec, which may hang: Spawner.Forking is for who cannot wait for that.
	Fork func(fork func())
	// NoRespawn starts each program once, whatever its Restart says: for debugging.
	NoRespawn bool
	// Spare returns processes, such as the one that has asked for the stop, that are not to be signalled, and nor are
	// their ancestors: in the groups of programs the others are, one by one, and Stop does not wait for them. Who has left
	// its program's group is spared as well if it shares a session with one of them. What the Set has started itself is
	// not spared; it would end with this process anyway. Asked on the goroutine of the Set when a stop begins and when its
	// time is over. Nil: none.
	Spare func() []int
	// Spawner forks all that the Set starts; zero: one of its own. It runs on a thread of the caller's choice.
	Spawner *Spawner
	// Orphans makes this process the one that inherits what its children leave behind, as PID 1 does
	// (PR_SET_CHILD_SUBREAPER): the Set reaps those, and ends, when all programs have ended, those that have left their
	// program's group: TERM, and KILL when the time of Stop is over but for a tenth, or 2 s. What a program with
	// KillProcess has started lives on. Where there has been such a program, whoever cannot be told does so too, and the
	// log says it. Nobody outlives PID 1, so there they are ended as well.
	// For a program that starts no other children while the Set runs.
	Orphans bool
	// Exits says that the process exits soon after Stop: it goes on catching what New has had it catch, SIGCHLD above all.
	// Else that is what it was before New.
	Exits bool
	// Cgroup is a directory in a hierarchy of cgroups of version 2, below what [FindCgroup] returns, for this Set alone.
	// It is made when the first program is started, with a cgroup below it for each program, and removed at the end.
	// Whoever a program has started is known by that, and ends with it: before the program's next start, or at its
	// removal, what is left gets TERM, the rest of StopTimeout, and KILL; Spare counts there too. With KillProcess it
	// lives on. Zero: none. For a Set with Orphans.
	Cgroup string
	// CgroupRequired makes it the failure of a program that its cgroup cannot be had; it is started without one otherwise.
	CgroupRequired bool
}

// EndedError is how an Essential program has ended for good.
type EndedError struct {
	Name string
	How  string // in words
	// Status is the exit status, or 128 and the number of the signal; of one that has failed, and has neither, or 0, 1.
	Status int
}

func (e *EndedError) Error() string { return "program " + e.Name + ": " + e.How }

// A Set is the programs that run. Its methods may be called from any goroutine.
type Set struct {
	requests chan any
	ended    chan struct{} // closed when the goroutine has ended
	reader   *reader
}

// New returns an empty Set; its goroutine ends with [Set.Stop].
func New(o Options) *Set {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return newSet(o, newLinux())
}

func newSet(o Options, k kernel) *Set {
	s := &Set{requests: make(chan any), ended: make(chan struct{})}
	go newLoop(o, s, k).run()
	return s
}

// errStopped is what a Set answers after Stop.
var errStopped = errors.New("the programs have been stopped")

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

// Stop stops every program: each group, or process, gets its stop signal once those that come after it have ended, and
// KILL after its StopTimeout, or when ctx ends. It returns when all have ended; the error names those that even KILL
// has not ended half a second after ctx. The Set is of no use afterwards.
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
	Starts   int       `json:"starts"`             // starts of a process that were tried so far
	Failures int       `json:"failures,omitempty"` // in a row
	Last     string    `json:"last,omitempty"`     // how the last process ended
	Next     time.Time `json:"next,omitzero"`      // when it is started again, by the clock as it is set now
	// Text is what its process, or the last one, has said of itself: STATUS= of sd_notify(3), without control characters
	// and no longer than 256 characters, after "stopping" or "reloading" when it has told that it is.
	Text    string `json:"text,omitempty"`
	MainPID int    `json:"main_pid,omitempty"` // as it has told, unless that is PID
	LastPID int    `json:"-"`                  // of its last process, which runs or has ended; 0: that could not be started

	Ready    bool         `json:"ready"`               // others need not wait for it: it is up, or done
	Why      string       `json:"why,omitempty"`       // what it waits for, or why it failed, in words
	Started  time.Time    `json:"started,omitzero"`    // its process, by the clock as it is set now
	ExitCode *int         `json:"exit_code,omitempty"` // of the last process that has ended: its status, or 128 and the signal
	Exits    Exits        `json:"exits"`               // how its processes have ended so far
	Check    *CheckStatus `json:"check,omitempty"`     // nil: it has none
	Gate     *GateStatus  `json:"gate,omitempty"`      // nil: it has none
	Held     *Hold        `json:"held,omitempty"`      // nil: it is not held
	Removed  bool         `json:"removed,omitempty"`   // from the configuration: it ends

	Listen []ListenStatus `json:"listen,omitempty"`

	Program *Program `json:"-"` // what it runs as, which is not to be changed

	// Cgroup is where all its processes are, and CPUSeconds, so far, and MemoryBytes, now, are what they take, those that
	// have ended included. Without a cgroup they are what its process takes, with those of its children that have ended.
	// [Measure] fills them in; zero: not known.
	Cgroup      string   `json:"cgroup,omitempty"`
	CPUSeconds  *float64 `json:"cpu_seconds,omitempty"`
	MemoryBytes *int64   `json:"memory_bytes,omitempty"`
	// CPUSecondsBefore is what of CPUSeconds had been used before its process was started, one that is not its first.
	CPUSecondsBefore *float64 `json:"cpu_seconds_before,omitempty"`

	sight         sight  `json:"-"`
	OutputLines   uint64 `json:"output_lines"`   // that it has written, as far as this process reads them
	OutputDropped uint64 `json:"output_dropped"` // of those, the ones that rate_limit, a slow log or a full disk has dropped
}

// Status returns the programs by name; nil after Stop.
func (s *Set) Status() []Status { return s.StatusAt(func() {}) }

// StatusAt is Status, and calls now, which must not wait, on the goroutine of the Set at the moment that the answer is
// of: Options.Event has been called for all that led to it, and is called for what changes it.
// After Stop nothing is called.
func (s *Set) StatusAt(now func()) []Status {
	reply := make(chan []Status, 1)
	if s.send(context.Background(), statusRequest{now, reply}) != nil {
		return nil
	}
	list := <-reply
	sort.Sort(statusesByName(list))
	return list
}

// statusesByName sort themselves by index: package slices would copy 400 bytes for each side of a comparison.
type statusesByName []Status

func (s statusesByName) Len() int           { return len(s) }
func (s statusesByName) Less(i, j int) bool { return compareNames(s[i].Name, s[j].Name) < 0 }
func (s statusesByName) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
