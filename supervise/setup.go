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

// setupName is the name, argv[0], under which the program runs itself for a Setup. The arguments are steps, "--", and
// the command.
const setupName = "supervise-setup"

// setupPipe is the descriptor on which the child tells what went wrong; it closes when the command runs. Those that a
// program may ask for, Ready.FD, are below. With more sockets of Listen than have room there it is above them, and the
// first step, "pipe", has its number.
const setupPipe = 10

// execSetup starts a command by way of RunSetup.
func (s *launcher) execSetup(c command) (pid int, err error) {
	if !s.helper {
		return 0, errors.New("Setup needs Options.Helper")
	}
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return 0, fmt.Errorf("pipe: %w", err)
	}
	defer unix.Close(p[0])
	files := append([]uintptr(nil), c.files...)
	for len(files) < c.pipe() {
		files = append(files, noFile)
	}
	steps := append([]string{fmt.Sprintf("pipe %d", c.pipe())}, c.steps()...)
	files = append(files, uintptr(p[1]))
	if c.guard > 0 {
		files = append(files, uintptr(c.guard))
	}
	attr := &syscall.ProcAttr{Env: c.env, Files: files,
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}}
	pid, err = c.inCgroup(attr, func(join int) (int, error) {
		return s.fork(selfExe, slices.Concat([]string{setupName}, steps, []string{"--"}, c.argv), attr, join)
	})
	unix.Close(p[1])
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.argv[0], err)
	}
	if c.aside {
		return pid, nil
	}
	wrong := s.awaitSetup(p[0])
	if wrong == nil {
		return pid, nil
	}
	unix.Kill(-pid, unix.SIGKILL)
	waitFor(pid)
	return 0, wrong
}

// pipe is where RunSetup finds the setupPipe; the socket to the guard of a gate is next to it.
func (c command) pipe() int { return max(setupPipe, firstListened+len(c.listen)) }

// awaitSetup waits until the command runs, or for what is wrong.
func (s *launcher) awaitSetup(pipe int) error {
	const patience = 10 * time.Second // an executable on a file system that hangs
	deadline := time.Now().Add(patience)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pipe), Events: unix.POLLIN}},
			int(max(0, time.Until(deadline)).Milliseconds()))
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
			return &refusal{what, syscall.Errno(errno)}
		}
		return nil
	}
}

// RunSetup is the other half of a [Setup], and of a [Gate]. A program that has Options.Helper calls it first thing in
// main, with os.Args, and leaves with the status when ran is true; it is false unless a Set has started the program for
// this.
func RunSetup(args []string) (status int, ran bool) {
	if len(args) > 0 && args[0] == guardName {
		return runGuard(args[1:]), true
	}
	end := slices.Index(args, "--")
	if end < 1 || end == len(args)-1 || args[0] != setupName {
		return 0, false
	}
	pipe, steps := setupPipe, args[1:end]
	if len(steps) > 0 {
		if number, is := strings.CutPrefix(steps[0], "pipe "); is {
			pipe, _ = strconv.Atoi(number)
			steps = steps[1:]
		}
	}
	unix.CloseOnExec(pipe)
	err := setUp(steps, args[end+1:])
	errno := syscall.EINVAL
	errors.As(err, &errno)
	unix.Write(pipe, fmt.Appendf(nil, "%d %v", errno, err))
	return 127, true
}

// setUp returns only if something went wrong.
func setUp(steps, argv []string) error {
	runtime.LockOSThread() // credentials and the like are a thread's, and exec makes this one the process
	for _, step := range steps {
		if err := carryOut(step); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w", argv[0], syscall.Exec(argv[0], argv, os.Environ()))
}
