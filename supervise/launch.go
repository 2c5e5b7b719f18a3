package supervise

import (
	"fmt"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// launcher starts processes. It stays on the loop's thread.
type launcher struct {
	null int
}

func (s *launcher) open() {
	// Whoever started us may have blocked signals; the mask passes through fork and exec.
	unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
	var err error
	if s.null, err = unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		s.null = -1
	}
}

func (s *launcher) close() { unix.Close(s.null) }

// start runs a program's command in a session of its own.
func (s *launcher) start(p *Program) (pid int, err error) {
	if s.null < 0 {
		if s.open(); s.null < 0 {
			return 0, fmt.Errorf("open %s: it cannot be opened", os.DevNull)
		}
	}
	files := []uintptr{uintptr(s.null), uintptr(s.null), uintptr(s.null)}
	if p.Output == Inherit {
		files[1], files[2] = 1, 2
	}
	attr := &syscall.ProcAttr{
		Dir:   orRoot(p.Directory),
		Env:   p.environ(),
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Credential: p.User.credential()},
	}
	pid, err = syscall.ForkExec(p.Command[0], p.Command, attr)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", p.Command[0], err)
	}
	return pid, nil
}

func orRoot(dir string) string {
	if dir == "" {
		return "/"
	}
	return dir
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
