package supervise

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// command is a process to be started.
type command struct {
	argv  []string
	dir   string
	env   []string
	user  *User
	setup *Setup
	files []uintptr // by descriptor, from 0; closed: none
}

const closed = ^uintptr(0)

// launcher starts processes. It stays on the loop's thread.
type launcher struct {
	null   int
	helper bool
	mark   string
}

func (s *launcher) open(helper bool, mark string) {
	// Whoever started us may have blocked signals; the mask passes through fork and exec.
	unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
	// What we inherited without close-on-exec would pass on to every child. Linux before 5.11 has daemon.Run for that.
	unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
	s.helper, s.mark = helper, mark
	var err error
	if s.null, err = unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		s.null = -1
	}
}

func (s *launcher) close() { unix.Close(s.null) }

// exec runs a command in a session of its own, to die with this process.
func (s *launcher) exec(c command) (pid int, err error) {
	if s.null < 0 {
		return 0, fmt.Errorf("%s could not be opened", os.DevNull)
	}
	for i, fd := range c.files {
		if fd == toNull {
			c.files[i] = uintptr(s.null)
		}
	}
	if s.mark != "" {
		c.env = append(c.env, s.mark)
	}
	if c.setup != nil {
		return s.execSetup(c)
	}
	attr := &syscall.ProcAttr{Dir: c.dir, Env: c.env, Files: c.files,
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Credential: c.user.credential()}}
	pid, err = syscall.ForkExec(c.argv[0], c.argv, attr)
	if err != nil && s.helper && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOMEM) {
		return s.execSetup(c) // which can tell what it was that failed
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.argv[0], err)
	}
	return pid, nil
}

// toNull stands for /dev/null in command.files.
const toNull = closed - 1

// start runs the command of p, with what its readiness and its output need.
func (l *loop) start(p *program) (pid int, err error) {
	c := p.spec.command(p.spec.Command)
	var undo []func()
	defer func() {
		for _, f := range undo {
			f()
		}
	}()
	for _, prepare := range []func(*program, *command) (func(), error){l.openOutput, l.openReady} {
		done, err := prepare(p, &c)
		if done != nil {
			undo = append(undo, done)
		}
		if err != nil {
			l.release(p)
			return 0, err
		}
	}
	if pid, err = l.launcher.exec(c); err != nil {
		l.release(p)
	}
	return pid, err
}

// command is what p and its checks, gate and hooks have in common.
func (p *Program) command(argv []string) command {
	c := command{argv: argv, dir: p.Directory, env: p.environ(), user: p.User, setup: p.Setup,
		files: []uintptr{toNull, toNull, toNull}}
	if c.dir == "" {
		c.dir = "/"
	}
	return c
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environ is all that the child gets.
func (p *Program) environ() []string {
	env := make([]string, 0, 5+len(p.Environment))
	set := func(name, value string) {
		if _, own := p.Environment[name]; !own {
			env = append(env, name+"="+value)
		}
	}
	set("PATH", searchPath)
	if u := p.User; u != nil {
		set("HOME", u.Home)
		set("USER", u.Name)
		set("LOGNAME", u.Name)
		set("SHELL", u.Shell)
	}
	for name, value := range p.Environment {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

// credential is nil for the user that we are already: changing to it needs no privilege.
func (u *User) credential() *syscall.Credential {
	if u == nil {
		return nil
	}
	groups, err := syscall.Getgroups()
	if err == nil && int(u.UID) == os.Geteuid() && int(u.GID) == os.Getegid() && (os.Geteuid() != 0 || sameGroups(groups, u.Groups)) {
		return nil
	}
	return &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
}

func sameGroups(have []int, want []uint32) bool {
	if len(have) != len(want) {
		return false
	}
	for _, g := range want {
		if !slices.Contains(have, int(g)) {
			return false
		}
	}
	return true
}
