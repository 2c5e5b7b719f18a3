package supervise

import (
	"errors"
	"fmt"
	"os"
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

// A Program is something to keep running. It is not changed once it was given to a [Set]. Groups of settings that most
// programs do without are pointers; nil means none.
type Program struct {
	Name        string
	Command     []string          // the first is an absolute path
	User        *User             // nil: that of this process
	Directory   string            // zero: /
	Environment map[string]string // on top of PATH and, with a User, HOME, USER, LOGNAME and SHELL
	Setup       *Setup            // what else the process is to be given before it runs
	Output      string            // [Null], [Inherit], or whatever Options.Output knows; zero: Null
	RateLimit   int               // lines of output a second, the rest is counted; zero: no limit

	OneShot   bool // it has done its work when it exits with status 0, and is not started again then
	Required  bool // [Set.Await] waits for it
	Essential bool // Options.Fail is called when it has ended for good
	Restart   Restart
	Backoff   *Backoff
	GiveUp    *GiveUp
	// PermanentExit are exit statuses after which it is not started again.
	PermanentExit []int

	Ready *Ready // nil: when it is started
	Order *Order
	Check *Check
	Gate  *Gate
	Hook  *Hook

	StopSignal   syscall.Signal // zero: SIGTERM
	StopTimeout  time.Duration  // from the stop signal to KILL; zero: KILL at once
	ReloadSignal syscall.Signal // instead of a restart, when something but the command has changed; zero: restart
}

// Values of Program.Output that a Set knows by itself.
const (
	Null    = "null"    // /dev/null
	Inherit = "inherit" // where this process has its own
)

// User is whom a program runs as. A User is shared between programs and not changed.
type User struct {
	Name     string
	UID, GID uint32
	Groups   []uint32 // supplementary
	Home     string
	Shell    string
}

// GiveUp ends the restarts: when the program has died Tries times within Within.
type GiveUp struct {
	Tries  int
	Within time.Duration
}

// Ready says how a program tells that it is ready. One of the first three is set; with none it is when it runs.
type Ready struct {
	FD     int           // it writes a newline to this descriptor, as under s6; 3 to 9
	Notify bool          // it sends READY=1 to NOTIFY_SOCKET, sd_notify(3)
	After  time.Duration // it has lived for so long
	// Timeout is how long that may take before the process is ended and counted as failed; zero: a minute.
	Timeout time.Duration
	// Watchdog ends a process that does not send WATCHDOG=1 to NOTIFY_SOCKET so often; zero: none.
	Watchdog time.Duration
}

// Order says which programs come first, by name: those of both lists are waited for at the start, until they are ready,
// and outlived at the stop. A program in After that has ended for good is waited for no longer; one in Requires is.
type Order struct {
	After, Requires []string
}

// Check is a command that tells whether the program works, by exit status 0. It runs as the program's user, in its
// directory and with its environment.
type Check struct {
	Command    []string
	Every      time.Duration // from the end of one to the start of the next
	Timeout    time.Duration // then it is killed, and has failed
	Failures   int           // so many in a row end the process, which counts as a failure; zero: 1
	StartAfter time.Duration // the first, from readiness on
}

// Gate is a command that gives the permission to run: its first line on standard output gives it, its end takes it back.
// It is started before the program, and stopped whenever the program has no process.
type Gate struct {
	Command []string
	Timeout time.Duration // from its end to KILL for the program's group
}

// Hook is a command that is told of every change of state: PROGRAM, OLD_STATE, NEW_STATE, STATUS (of the last end, in
// words) and COUNT (of starts) are in its environment. They run one after the other for each program.
type Hook struct {
	Command []string
	Timeout time.Duration // then it is killed; zero: 10 s
}

// check finds out what can be known before a process is started.
func (p *Program) check() error {
	var errs []error
	for _, c := range [...]struct {
		what string
		argv []string
		set  bool
	}{
		{"command", p.Command, true},
		{"check", p.checkCommand(), p.Check != nil},
		{"gate", p.gateCommand(), p.Gate != nil},
		{"on_change", p.hookCommand(), p.Hook != nil},
	} {
		if c.set {
			if err := executable(c.argv); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", c.what, err))
			}
		}
	}
	if p.Directory != "" {
		switch st, err := os.Stat(p.Directory); {
		case err != nil:
			errs = append(errs, fmt.Errorf("directory: %w", err))
		case !st.IsDir():
			errs = append(errs, fmt.Errorf("directory: %s: it is not a directory", p.Directory))
		}
	}
	if os.Geteuid() != 0 && p.User.credential() != nil {
		errs = append(errs, fmt.Errorf("user %s: %w: only root can run programs as another user", p.User.Name, os.ErrPermission))
	}
	return errors.Join(errs...)
}

func executable(argv []string) error {
	if len(argv) == 0 {
		return errors.New("there is none")
	}
	st, err := os.Stat(argv[0])
	switch {
	case err != nil:
		return err
	case st.IsDir() || st.Mode()&0o111 == 0:
		return fmt.Errorf("%s: it is not an executable file", argv[0])
	}
	return nil
}

func (p *Program) checkCommand() []string {
	if p.Check == nil {
		return nil
	}
	return p.Check.Command
}

func (p *Program) gateCommand() []string {
	if p.Gate == nil {
		return nil
	}
	return p.Gate.Command
}

func (p *Program) hookCommand() []string {
	if p.Hook == nil {
		return nil
	}
	return p.Hook.Command
}

func (p *Program) stopSignal() syscall.Signal {
	if p.StopSignal == 0 {
		return syscall.SIGTERM
	}
	return p.StopSignal
}
