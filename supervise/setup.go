package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Setup is what a process is given that only it can give to itself, or that must be in place before it runs. It costs a
// second exec: the program runs itself as the child, which sets all this up and becomes the command. Whatever cannot be
// had is told by its name, and the command is not run without it.
type Setup struct {
	Umask           *int    `json:",omitempty"`
	Limits          []Limit `json:",omitempty"`
	Nice            *int    `json:",omitempty"`
	OOMScoreAdj     *int    `json:",omitempty"`
	NoNewPrivileges bool    `json:",omitempty"`
}

// Limit is a resource limit, setrlimit(2).
type Limit struct {
	Name       string // for messages
	Resource   int
	Soft, Hard uint64
}

// setupName is the name, argv[0], under which the program runs itself for a Setup.
const setupName = "supervise-setup"

// setupPipe is the descriptor on which the child tells what went wrong; it closes when the command runs. Those that a
// program may ask for, Ready.FD, are below.
const setupPipe = 10

// order is what the child is to do, its argv[1].
type order struct {
	*Setup
	Credential *syscall.Credential `json:",omitempty"`
	Directory  string
	Parent     int
}

// execSetup starts a command by way of RunSetup.
func (s *launcher) execSetup(c command) (pid int, err error) {
	if !s.helper {
		return 0, errors.New("Setup needs Options.Helper")
	}
	exe, err := os.Executable()
	if err != nil {
		return 0, err
	}
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return 0, fmt.Errorf("pipe: %w", err)
	}
	defer unix.Close(p[0])
	told, err := json.Marshal(order{c.setup, c.user.credential(), c.dir, os.Getpid()})
	if err != nil {
		unix.Close(p[1])
		return 0, err
	}
	files := append([]uintptr(nil), c.files...)
	for len(files) < setupPipe {
		files = append(files, closed)
	}
	pid, err = syscall.ForkExec(exe, append([]string{setupName, string(told)}, c.argv...), &syscall.ProcAttr{
		Env: c.env, Files: append(files, uintptr(p[1])),
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}})
	unix.Close(p[1])
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.argv[0], err)
	}
	wrong := s.hear(p[0])
	if wrong == nil {
		return pid, nil
	}
	unix.Kill(-pid, unix.SIGKILL)
	var ws syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(pid, &ws, 0, nil); err != syscall.EINTR {
			break
		}
	}
	return 0, wrong
}

// hear waits until the command runs, or for what is wrong.
func (s *launcher) hear(pipe int) error {
	const patience = 10 * time.Second // an executable on a file system that hangs
	deadline := time.Now().Add(patience)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pipe), Events: unix.POLLIN}}, int(max(0, time.Until(deadline)).Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case n == 0:
			return fmt.Errorf("not set up after %v", patience)
		}
		buf := make([]byte, 1024)
		if n, _ := unix.Read(pipe, buf); n > 0 {
			number, what, _ := strings.Cut(string(buf[:n]), " ")
			errno, _ := strconv.Atoi(number)
			return fmt.Errorf("%s: %w", what, syscall.Errno(errno))
		}
		return nil
	}
}

// RunSetup is the other half of a [Setup]. A program that has Options.Helper calls it first thing in main, with os.Args,
// and leaves with the status when ran is true; it is false unless a Set has started the program for this.
func RunSetup(args []string) (status int, ran bool) {
	if len(args) < 3 || args[0] != setupName {
		return 0, false
	}
	what, errno := setUp(args[1], args[2:])
	unix.Write(setupPipe, fmt.Appendf(nil, "%d %s", errno, what))
	return 127, true
}

// setUp returns only if something went wrong.
func setUp(told string, argv []string) (what string, errno syscall.Errno) {
	runtime.LockOSThread() // credentials and the like are a thread's, and exec makes this one the process
	unix.CloseOnExec(setupPipe)
	var o order
	if err := json.Unmarshal([]byte(told), &o); err != nil {
		return setupName, syscall.EINVAL
	}
	s := o.Setup
	if s == nil {
		s = &Setup{}
	}
	type part struct {
		name string
		do   func() error
	}
	parts := []part{}
	add := func(name string, do func() error) { parts = append(parts, part{name, do}) }
	if s.Nice != nil {
		add("nice "+strconv.Itoa(*s.Nice), func() error { return unix.Setpriority(unix.PRIO_PROCESS, 0, *s.Nice) })
	}
	if s.OOMScoreAdj != nil {
		add("oom_score_adj "+strconv.Itoa(*s.OOMScoreAdj), func() error {
			return os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(*s.OOMScoreAdj)), 0)
		})
	}
	if s.Umask != nil {
		unix.Umask(*s.Umask)
	}
	for _, lim := range s.Limits {
		add("limit "+lim.Name, func() error {
			return unix.Prlimit(0, lim.Resource, &unix.Rlimit{Cur: lim.Soft, Max: lim.Hard}, nil)
		})
	}
	if c := o.Credential; c != nil {
		groups := make([]int, len(c.Groups))
		for i, g := range c.Groups {
			groups[i] = int(g)
		}
		add("setgroups", func() error { return syscall.Setgroups(groups) })
		add("setgid", func() error { return syscall.Setgid(int(c.Gid)) })
		add("setuid", func() error { return syscall.Setuid(int(c.Uid)) })
		// A change of user clears it.
		add("parent death signal", func() error { return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0) })
		if os.Getppid() != o.Parent {
			return "the supervisor", syscall.ESRCH
		}
	}
	add("directory "+o.Directory, func() error { return unix.Chdir(o.Directory) })
	if s.NoNewPrivileges {
		add("no_new_privileges", func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
	}
	for _, p := range parts {
		if err := p.do(); errors.As(err, &errno) {
			return p.name, errno
		}
	}
	errors.As(syscall.Exec(argv[0], argv, os.Environ()), &errno)
	return argv[0], errno
}
