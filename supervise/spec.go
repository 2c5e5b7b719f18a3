package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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

// Kill says what of a program is signalled when it is to end.
type Kill uint8

const (
	// KillGroup is the whole process group, and what is left of it when its leader has ended.
	KillGroup Kill = iota
	// KillProcess is the process that was started, alone. What that has started itself may live on: the sessions of a
	// server for logins, the jobs of a scheduler. It outlives a restart of the program, its removal, and the Set; the
	// process itself does not outlive this one.
	KillProcess
)

// A Program is something to keep running. It is not changed once it was given to a [Set]. Groups of settings that most
// programs do without are pointers; nil means none.
type Program struct {
	Name        string
	Command     []string          // the first is an absolute path
	User        *User             `json:",omitzero"` // nil: that of this process
	Directory   string            `json:",omitzero"` // zero: /
	Environment map[string]string `json:",omitzero"` // on top of PATH and, with a User, HOME, USER, LOGNAME and SHELL
	// FindEnvironment, unless nil, gives the environment in place of Environment whenever something is started, because
	// it could not be had before. Its error is why that cannot be started. It may take its time, and is not called again
	// before it has returned: what waits for it for 10 s cannot be started.
	FindEnvironment func() (map[string]string, error) `json:"-"`
	Setup           *Setup                            `json:",omitzero"` // what else the process is to be given before it runs
	// Output is [Null], [Inherit], or whatever Options.Output knows; zero: Options.Log, under its name.
	Output    string `json:",omitzero"`
	RateLimit int    `json:",omitzero"` // lines of output a second, the rest is counted; zero: no limit

	// Held says that it is not started when it is new to the Set, until [Set.Up] or [Set.Restart] asks for it, see [Hold].
	Held      bool     `json:",omitzero"`
	OneShot   bool     `json:",omitzero"` // it has done its work when it exits with status 0, and is not started again then
	Required  bool     `json:",omitzero"` // [Set.Await] waits until it is ready; without Ready: until it has lived for a second
	Essential bool     `json:",omitzero"` // Options.Fail is called when it has ended for good
	Restart   Restart  `json:",omitzero"`
	Backoff   *Backoff `json:",omitzero"`
	GiveUp    *GiveUp  `json:",omitzero"`
	// PermanentExit are exit statuses after which it is not started again.
	PermanentExit []int `json:",omitzero"`

	Ready *Ready `json:",omitzero"` // nil: when it is started
	Order *Order `json:",omitzero"`
	Check *Check `json:",omitzero"`
	Gate  *Gate  `json:",omitzero"`
	Hook  *Hook  `json:",omitzero"`

	Resources *Resources `json:",omitzero"` // of its cgroup; nil: no bounds. A change is applied to what runs
	Listen    *Listen    `json:",omitzero"` // nil: it gets no sockets

	Kill        Kill           `json:",omitzero"` // what the signals go to; zero: KillGroup
	StopSignal  syscall.Signal `json:",omitzero"` // zero: SIGTERM
	StopTimeout time.Duration  `json:",omitzero"` // from the stop signal to KILL; zero: 10 s, negative: none
	// ReloadSignal goes to its process, in place of a restart, when only the environment has changed; zero: restart.
	ReloadSignal syscall.Signal `json:",omitzero"`
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

	// Find, unless nil, looks for the user whenever something is started as it, and counts in place of the other fields
	// but Name, for messages: for a user who is not there yet. Its error is why that cannot be started. Of a Program's own
	// User it may take as long as a FindEnvironment.
	Find func() (*User, error) `json:"-"`
}

// found is u as it is now, which has no Find.
func (u *User) found() (*User, error) {
	if u == nil || u.Find == nil {
		return u, nil
	}
	v, err := u.Find()
	switch {
	case err != nil:
		return nil, err
	case v == nil || v.Find != nil:
		return nil, fmt.Errorf("user %s cannot be found", u.Name)
	}
	return v, nil
}

// GiveUp ends the restarts: when the program has died, or could not be started, Tries times within Within. What could
// not be started for want of processes, memory, descriptors or room does not count,
// and is tried again whatever Restart says.
type GiveUp struct {
	Tries  int
	Within time.Duration
}

// Ready says how a program tells that it is ready. One of the first three is set; with none it is when it runs.
type Ready struct {
	FD     int           // it writes a newline to this descriptor, 3 to 9, which is closed at our end then, as under s6
	Notify bool          // it sends READY=1 to NOTIFY_SOCKET, sd_notify(3)
	After  time.Duration // it has lived for so long
	// Timeout is how long that may take before the process is ended and counted as failed; zero: a minute.
	Timeout time.Duration
	// Watchdog ends a process that does not send WATCHDOG=1 to NOTIFY_SOCKET so often; zero: none. With a socket, by this
	// or by Notify, all of sd_notify(3) counts, but that nothing is stored for FDSTORE=1: WATCHDOG_USEC sets another time,
	// EXTEND_TIMEOUT_USEC makes Timeout, Watchdog or StopTimeout longer, STOPPING=1 ends checks and watchdog.
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

// Gate is a command that gives the permission to run: its first line on standard output gives it, its end takes it
// back. It is started before the program, and stopped whenever the program has no process; the next one is started when
// it has ended. The program gets that line, up to
// 4 KiB and to a NUL, as KEEPALIVEDD_GATE.
//
// With Options.Helper a guard stands between: a process that kills the program's group at Timeout, and at once when
// this process has died, though this process is stopped; with Options.Cgroup what has left the group too. Time is that
// since the boot, which goes on while the machine sleeps: one that wakes up later than all that kills at once.
type Gate struct {
	Command []string
	Timeout time.Duration // from the loss of the permission to KILL for the program's group
	Delay   time.Duration // from the first line to the start of the program
	Renew   time.Duration // a longer silence of the gate, after its first line, is a loss; zero: none is
}

// Hook is a command that is told of changes of state: PROGRAM, OLD_STATE, NEW_STATE, STATUS (of the last end, in
// words), COUNT (of starts that were tried), SKIPPED and OUTPUT, the last lines of its process, up to three, are in its
// environment. They run one after the other for each program. What has changed while one ran is told at once, as a
// change from the state that it was told last, with SKIPPED as the number of those in between; the two may be the same.
// When the Set stops, a change that would have to wait for another is not told.
type Hook struct {
	Command []string
	Timeout time.Duration // then it is killed; zero: 10 s
}

// check finds what is wrong in p itself, whatever the system has.
func (p *Program) check() error {
	var errs []error
	if p.Name == "" {
		errs = append(errs, errors.New("it has no name"))
	}
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
		switch {
		case !c.set:
		case len(c.argv) == 0:
			errs = append(errs, fmt.Errorf("%s: there is none", c.what))
		case !filepath.IsAbs(c.argv[0]):
			errs = append(errs, fmt.Errorf("%s: %s: it is not an absolute path", c.what, c.argv[0]))
		}
	}
	if p.Directory != "" && !filepath.IsAbs(p.Directory) {
		errs = append(errs, fmt.Errorf("directory: %s: it is not an absolute path", p.Directory))
	}
	if err := p.Listen.check(p.Ready); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// explain finds the reason of a failed start where the kernel's word for it may mean several things.
func (p *Program) explain(err error) error {
	if errors.Is(err, syscall.ENOEXEC) {
		return fmt.Errorf("%w: it is neither a program of this machine nor a script with a #! line", err)
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.ENOTDIR) {
		return err
	}
	if p.Directory != "" {
		switch st, err := os.Stat(p.Directory); {
		case err != nil:
			return fmt.Errorf("directory: %w", err)
		case !st.IsDir():
			return fmt.Errorf("directory: %s: it is not a directory", p.Directory)
		}
	}
	if st, e := os.Stat(p.Command[0]); e == nil {
		switch {
		case st.IsDir():
			return fmt.Errorf("%w: it is a directory", err)
		case st.Mode()&0o111 == 0:
			return fmt.Errorf("%w: it is not executable (chmod +x)", err)
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: the file is there, its interpreter%s is not", err, interpreter(p.Command[0]))
		}
	}
	if own := (*refusal)(nil); os.Geteuid() != 0 && p.User.credential() != nil && !errors.As(err, &own) {
		return fmt.Errorf("user %s: only root can run programs as another user: %w", p.User.Name, err)
	}
	return err
}

// interpreter is what a script names after its "#!", quoted, behind a blank: "/bin/sh\r" has lines from Windows.
// It is "" of what is no script.
func interpreter(path string) string {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0) // it may be anything by now
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, 256) // more the kernel does not look at
	n, _ := io.ReadFull(f, b)
	line, _, _ := bytes.Cut(b[:n], []byte("\n"))
	name, script := bytes.CutPrefix(line, []byte("#!"))
	name, _, _ = bytes.Cut(bytes.TrimLeft(name, " \t"), []byte(" "))
	if !script || len(name) == 0 {
		return ""
	}
	return fmt.Sprintf(" %q", name)
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

// stopTimeout is how long a process may take to stop.
func (p *Program) stopTimeout() time.Duration {
	if p.StopTimeout == 0 {
		return 10 * time.Second
	}
	return max(0, p.StopTimeout)
}

func (p *Program) stopSignal() syscall.Signal {
	if p.StopSignal == 0 {
		return syscall.SIGTERM
	}
	return p.StopSignal
}
