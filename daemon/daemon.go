// Package daemon runs three functions as a Unix daemon.
//
// A [Daemon] says what to do at the start, at a reload and at the stop; [Daemon.Run] owns the order that everybody gets
// wrong: signals, lock, start, ready, loop, stop, unlink. [Daemon.Detach] before it puts the process into the
// background and tells the caller the truth about the start; [Daemon.Main] does both, and the log.
//
// Hooks run one at a time, so they need no locks. But one that has not returned when its context has ended, and its
// Grace is over, is left behind, and may still run when Stop is called. One that panics ends the process, of which the
// next start's log tells, see [CrashFile]; only a Start that panics in an upgrade leads back to the program before.
//
// Linux only: elsewhere Run calls the hooks in the foreground, for people to build and try their program there, without
// a pidfile, a socket, a user or the background, which it says. One Daemon per process.
package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/keepalivedd/keepalivedd/control"
)

// A Daemon is what runs. Every field may be zero. It is not copied once Detach or Run has been called, nor changed, but
// that what Detach makes no use of may be set before Run: it needs Name, PIDFile, Umask, Grace, StartTimeout, Left,
// Env and Report. Hooks may change Grace, Threads and Readers.
type Daemon struct {
	Name    string       // in messages to the caller; zero: the base name of the executable
	PIDFile string       // held from the start to the end; zero: none. A relative path is one of the caller's directory
	Log     *slog.Logger // what happens to the daemon; nil: slog.Default()
	Umask   int          // of this process and so of its children; zero: 022
	NoUmask bool         // a Umask of 0

	// Grace bounds Stop, and how long Start and Reload may take to return after their context has ended; zero: 10 s. A
	// Start that ends by force what has not ended by then has another second for it, as Stop has.
	Grace time.Duration
	// ReadyFD is a descriptor that the caller has passed on to be told of readiness, by a newline, as s6 does; zero: none.
	ReadyFD int
	// StartTimeout bounds how long Detach waits for the background copy to be ready; zero: 90 s.
	StartTimeout time.Duration
	// Left is called by Detach, with the pidfile's lock held, when the copy has ended without being ready, and without
	// Run having returned: to end what Start has begun in a copy that was killed. Nil: nothing.
	Left func()

	// Env is added, as NAME=value, to the environment of the background copy; what the caller has set wins.
	Env []string

	// Report tells the caller of Detach why there is no daemon, where that is for this process to tell; nil: in one line
	// on standard error, after Name.
	Report func(err error)

	// User is whom the daemon becomes before Start, USER or USER:GROUP, names or numbers, with the user's other groups,
	// HOME, USER and LOGNAME; zero: it stays who it is. By then it has its lock, its PID in the file, and the file for a
	// last word; there is no way back, and children are that user's as well.
	// Who is not root can be nobody else: that is an error.
	//
	// Give such a daemon a directory of its own, /run/echod/echod.pid: the pidfile can be put back there, and removed at
	// the end, and the daemon be asked over its socket. If the last element of that path is missing, as it is in /run
	// after a boot, it is made, and given to the user. In a directory that is not the user's none of that can be, and at
	// the end an empty pidfile is left, which keeps nobody from starting. A log file that is to be opened anew needs one
	// too, /var/log/echod.
	User string
	// Privileged is called before the daemon becomes User: for what only root can have, a port below 1024, a key that
	// only root can read. Its error is that of the start. Stop closes what it has opened. A program that takes over, see
	// [Daemon.Upgrade], is User already, and goes on with what Upgrades.Save has left. Nil: nothing.
	Privileged func(ctx context.Context) error

	// Start brings the daemon up and returns when it serves; the daemon is ready then. ctx lives as long as the daemon:
	// it ends with the request to stop, so while Start runs it means that the start is called off. fail stops the
	// daemon later, from any goroutine: Run returns the error, or nil for fail(nil). A Start that fails has cleaned up
	// after itself; in the foreground os.Exit in it leaves the pidfile behind, as a kill does. Nil: nothing to start.
	Start func(ctx context.Context, fail context.CancelCauseFunc) error
	// Reload is asked for by SIGHUP, and by [Reload] from another process. All of it takes effect or, with an error,
	// nothing; the error is logged. ctx ends with the request to stop. Nil: the request is logged and ignored.
	Reload func(ctx context.Context) error
	// Stop ends what Start began, and returns when it has ended. ctx ends after Grace or when a stop is asked for a
	// second time: what has not ended by then is to be ended by force, within a second. It is not called when Start, or
	// anything before it, has failed. Nil: nothing to stop.
	Stop func(ctx context.Context) error
	// Dump and Stats are asked for by SIGUSR1 and SIGUSR2: write the state, write the counters. Nil: ignored.
	Dump, Stats func(ctx context.Context) error

	// About is said in the log when the daemon is ready, after its PID: keys and values, as for [slog.Logger.Info].
	// Nil: nothing.
	About func() []any
	// Touched says in a line what the last Reload has changed, for the log and for who has asked for it. It is called
	// after a Reload that has succeeded, on its goroutine. Nil: nothing is said.
	Touched func() string
	// DryRun says what a Reload would change now, or why it would fail, and touches nothing. It is called in the place of
	// a Reload, and under the same terms. Nil: that cannot be asked.
	DryRun func(ctx context.Context) (string, error)

	// Ready is called when the daemon is ready and whoever waits for that has been told. Nil: nothing.
	Ready func()
	// Alive says, with nil, that the daemon does what it is there for. Where systemd wants that to be told
	// (WATCHDOG_USEC), it is called twice in each period, on a goroutine of its own, until the end, and else never. An
	// error is logged, and nothing is told: systemd ends a daemon that it does not hear of. Nil: nothing is told.
	Alive func() error
	// Status is what the daemon says of itself to who asks for its status, and to systemd when it is ready and after each
	// reload; each call has a goroutine of its own, and is waited for a second. It is called beside the hooks, as Methods
	// are, and before Start has made what it speaks of. Nil: nothing.
	Status func() string
	// Methods are what the daemon can be asked over its control socket, see package control, apart from status, reload,
	// budget and, with Upgrades, upgrade; one of such a name takes the place of ours. They are called at any time from the
	// PID being in the pidfile until the end, the time before Start and after Stop included.
	Methods map[string]control.Method
	// Reads are methods that change nothing, and Streams answer with a series of lines and change nothing either: they are
	// like Methods, but for members of the group with the number Readers too, as status is. nil is no group. Start and
	// Reload may change Readers, and one that succeeds has it taken on.
	Reads   map[string]control.Method
	Streams map[string]control.Stream
	Readers *int

	// Reaps says that the hooks reap every child of the process, as package supervise can. Else Run, as PID 1, reaps
	// the orphans that the kernel hands to it: those that no os.Process of ours refers to.
	Reaps bool

	// Threads is how many system calls may hang at the same time in goroutines of the hooks, as a write to a file does on
	// a disk that is gone, beside the one that a hook itself is in. Run makes the threads for them, and for itself, before
	// Start: see [MakeThreads].
	Threads int
	// Childless says that Start starts no process that could take all that the machine has, or inherit what we were told
	// to ignore: the threads are made, and USR1, USR2 and the signals that mean nothing taken, when the daemon is ready,
	// which is sooner then.
	Childless bool
	// Exits says that the process exits as soon as Run has returned: the signals stay caught, and so do nothing any more.
	// Else they are what they were before Run.
	Exits bool

	// OOMScoreAdj, below zero, makes the kernel end others before this process when memory runs out. Only root may have it
	// (CAP_SYS_RESOURCE), who may not has a score above 0 lowered to that. A process that was started with one below
	// zero keeps it. Children inherit it unless they are started by way of [Daemon.Fork].
	// Zero: the score is left as it is.
	OOMScoreAdj int

	// Upgrades is what it takes for the daemon to be replaced by a newer program in place, see [Daemon.Upgrade];
	// zero: it cannot.
	Upgrades Upgrades
	// Inherited is what a program that takes over from one before it has got, for Start; nil in one that starts. It is set
	// by Detach or Run, unless it was by the caller, from [Inherit].
	Inherited *Inherited

	reopen func() error // of the log; nil: it is not ours
	flush  func(ctx context.Context) error
	chown  func(uid, gid int) error
	inner
}
