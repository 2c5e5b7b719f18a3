package supervise

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/address"
)

// command is a process to be started.
type command struct {
	argv   []string
	name   string // of the program that it is for
	path   string // of the executable; zero: the first of argv
	dir    string
	env    []string
	own    map[string]string // of env: what the program itself asks for
	user   *User
	finds  *Program // whose user and environment are to be found first; nil: they have been
	wrong  error    // why it cannot be started
	setup  *Setup
	spare  bool       // what descends from it is not to be ended
	group  string     // the cgroup it is to be in; zero: ours
	must   bool       // it is not to run out of that
	aside  bool       // the helper executes it, and is not waited for
	bounds *Resources // of that; nil: as they are
	cgroup int        // a descriptor of that, while it is started
	spent  *int64     // what has been used in it by then, in microseconds, once it is started; nil: it is new
	files  []uintptr  // by descriptor, from 0; noFile: none
	guard  int        // the socket to the guard of its gate; 0: none
	listen []listener
}

const noFile = ^uintptr(0)

// launcher starts processes, on the thread of its spawner.
type launcher struct {
	spawner *Spawner
	null    int
	helper  bool
	mark    string
	naming  bool              // each has the name of its program in its environment
	around  func(fork func()) // Options.Fork
	few     bool              // see fork

	neighbours address.Table // who listens where
	read       time.Time     // when that was
}

func (s *launcher) open(helper bool, mark string) {
	// What we inherited without close-on-exec would pass on to every child. Linux before 5.11 has daemon.Run for that.
	s.few = unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) == nil
	s.helper, s.mark = helper, mark
	var err error
	if s.null, err = unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		s.null = -1
	}
}

func (s *launcher) close() { unix.Close(s.null) }

// exec runs a command in a session of its own, to die with this process.
func (s *launcher) exec(c command) (pid int, err error) {
	if c.wrong != nil {
		return 0, c.wrong
	}
	if s.null < 0 { // for want of a descriptor, perhaps, when it was first tried
		if s.null, err = unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			s.null = -1
			return 0, fmt.Errorf("%s: %w", os.DevNull, err)
		}
	}
	for i, fd := range c.files {
		if fd == toNull {
			c.files[i] = uintptr(s.null)
		}
	}
	s.marks(&c)
	leave, err := c.openCgroup()
	if err != nil {
		return 0, err
	}
	defer leave()
	if c.setup != nil || c.guard > 0 || len(c.listen) > 0 || c.aside {
		return s.execSetup(c)
	}
	attr := &syscall.ProcAttr{Dir: c.dir, Env: c.env, Files: c.files,
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Credential: c.user.credential()}}
	pid, err = c.inCgroup(attr,
		func(join int) (int, error) { return s.fork(cmp.Or(c.path, c.argv[0]), c.argv, attr, join) })
	if err != nil && s.helper && c.path == "" && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOMEM) {
		return s.execSetup(c) // which can tell what it was that failed
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.argv[0], err)
	}
	return pid, nil
}

// marks adds to the environment what is to be known of a process later.
func (s *launcher) marks(c *command) {
	mark, program := s.mark, ""
	if c.spare {
		mark = sparedMark(mark)
	} else if s.naming {
		program = programMark(mark, c.name)
	}
	for _, m := range []string{mark, program} {
		if m != "" {
			c.env = append(c.env, m)
		}
	}
}

// fork forks, within Options.Fork.
func (s *launcher) fork(path string, argv []string, attr *syscall.ProcAttr, join int) (pid int, err error) {
	once := func() { pid, err = s.spawner.fork(&fork{join: join, few: s.few}, path, argv, attr) }
	around := s.around
	if around == nil {
		around = func(fork func()) { fork() }
	}
	around(once)
	if errors.Is(err, errNotCopied) {
		s.few = false
		around(once)
	}
	return pid, err
}

// toNull stands for /dev/null in command.files.
const toNull = noFile - 1

// release gives up what was open for the process of p, and what that has said of itself.
func (l *loop) release(p *program) {
	if p.features != nil {
		l.forgetNotify(p)
	}
	l.kernel.release(l, p)
	l.rested(p)
}

// command is what p and its checks, gate and hooks have in common. What is to be found is not in it yet.
func (p *Program) command(argv []string) command {
	c := command{argv: argv, name: p.Name, dir: p.Directory, setup: p.Setup, files: []uintptr{toNull, toNull, toNull}}
	if c.dir == "" {
		c.dir = "/"
	}
	if p.finds() {
		c.finds = p
	} else {
		c.give(&found{user: p.User, env: p.Environment})
	}
	return c
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is the program's own, as it can be had now.
func (p *Program) environment() (map[string]string, error) {
	if p.FindEnvironment == nil {
		return p.Environment, nil
	}
	return p.FindEnvironment()
}

// environ is all that the child gets, as user u.
func environ(own map[string]string, u *User) []string {
	env := make([]string, 0, 5+len(own))
	set := func(name, value string) {
		if _, is := own[name]; !is {
			env = append(env, name+"="+value)
		}
	}
	set("PATH", searchPath)
	if u != nil {
		set("HOME", u.Home)
		set("USER", u.Name)
		set("LOGNAME", u.Name)
		set("SHELL", u.Shell)
	}
	for name, value := range own {
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
	if err == nil && int(u.UID) == os.Geteuid() && int(u.GID) == os.Getegid() &&
		(os.Geteuid() != 0 || sameGroups(groups, u.Groups)) {
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
