package supervise

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
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
	Umask           *int
	Limits          []Limit
	Nice            *int
	OOMScoreAdj     *int
	NoNewPrivileges bool
}

// Limit is a resource limit, setrlimit(2).
type Limit struct {
	Name       string // for messages
	Resource   int
	Soft, Hard uint64
}

// setupName is the name, argv[0], under which the program runs itself for a Setup. The arguments are steps, "--", and the
// command.
const setupName = "supervise-setup"

// setupPipe is the descriptor on which the child tells what went wrong; it closes when the command runs. Those that a
// program may ask for, Ready.FD, are below.
const setupPipe = 10

// steps are what the child is to do, in this order; each is also what it is called when it fails.
func (c command) steps() (steps []string) {
	add := func(format string, args ...any) { steps = append(steps, fmt.Sprintf(format, args...)) }
	if s := c.setup; s != nil {
		if s.Nice != nil {
			add("nice %d", *s.Nice)
		}
		if s.OOMScoreAdj != nil {
			add("oom_score_adj %d", *s.OOMScoreAdj)
		}
		if s.Umask != nil {
			add("umask %04o", *s.Umask)
		}
		for _, l := range s.Limits {
			add("limit %d %d %d %s", l.Resource, l.Soft, l.Hard, l.Name)
		}
	}
	if u := c.user.credential(); u != nil {
		add("setgroups %s", strings.Trim(fmt.Sprint(u.Groups), "[]"))
		add("setgid %d", u.Gid)
		add("setuid %d", u.Uid)
		add("parent %d", os.Getpid()) // the change of user has cleared the death signal
	}
	add("directory %s", c.dir)
	if c.setup != nil && c.setup.NoNewPrivileges {
		add("no_new_privileges")
	}
	return steps
}

// take carries out a step.
func take(step string) error {
	what, rest, _ := strings.Cut(step, " ")
	words := strings.Fields(rest)
	numbers := make([]uint64, len(words))
	for i, w := range words {
		n, _ := strconv.ParseInt(w, 0, 64) // an octal umask begins with 0
		numbers[i] = uint64(n)
		if u, err := strconv.ParseUint(w, 0, 64); err == nil {
			numbers[i] = u
		}
	}
	n := func(i int) int { return int(int64(numbers[i])) }
	switch what {
	case "nice":
		return unix.Setpriority(unix.PRIO_PROCESS, 0, n(0))
	case "oom_score_adj":
		return os.WriteFile("/proc/self/oom_score_adj", []byte(words[0]), 0)
	case "umask":
		unix.Umask(n(0))
		return nil
	case "limit":
		return unix.Prlimit(0, n(0), &unix.Rlimit{Cur: numbers[1], Max: numbers[2]}, nil)
	case "setgroups":
		groups := make([]int, len(numbers))
		for i := range groups {
			groups[i] = n(i)
		}
		return syscall.Setgroups(groups)
	case "setgid":
		return syscall.Setgid(n(0))
	case "setuid":
		return syscall.Setuid(n(0))
	case "parent":
		err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
		if err == nil && os.Getppid() != n(0) {
			return syscall.ESRCH // it has died before
		}
		return err
	case "directory":
		return unix.Chdir(rest)
	case "no_new_privileges":
		return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	return syscall.EINVAL
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
	files := append([]uintptr(nil), c.files...)
	for len(files) < setupPipe {
		files = append(files, closed)
	}
	pid, err = syscall.ForkExec(exe, slices.Concat([]string{setupName}, c.steps(), []string{"--"}, c.argv), &syscall.ProcAttr{
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
	end := slices.Index(args, "--")
	if end < 1 || end == len(args)-1 || args[0] != setupName {
		return 0, false
	}
	what, err := setUp(args[1:end], args[end+1:])
	errno := syscall.EINVAL
	errors.As(err, &errno)
	unix.Write(setupPipe, fmt.Appendf(nil, "%d %s", errno, what))
	return 127, true
}

// setUp returns only if something went wrong.
func setUp(steps, argv []string) (what string, err error) {
	runtime.LockOSThread() // credentials and the like are a thread's, and exec makes this one the process
	unix.CloseOnExec(setupPipe)
	for _, step := range steps {
		if err := take(step); err != nil {
			return step, err
		}
	}
	return argv[0], syscall.Exec(argv[0], argv, os.Environ())
}
