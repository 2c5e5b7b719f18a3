package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/wait"
)

// A guard is a small process between the Set and a gate: the program runs itself once more under the name guardName. It
// ends the program when the permission is lost though this process is stopped or dead, and it cannot be late by more
// than the machine is: it has nothing else to do. The process of the program makes itself known to it, by the step
// "gate", before it becomes the command, so that there is no instant at which the guard could overlook it.
//
// Its arguments are Gate.Renew, Gate.Timeout, the marks of the program's processes where no cgroup tells whose they
// are, or two that are empty, and what [RunSetup] gets for the gate. It writes to standard output
//
//	open TOKEN   the first line of the gate
//	renewed      another line
//	lost WHY     the last
//
// and leaves as the gate did.
const guardName = "supervise-guard"

// guardSocket is the guard's descriptor of the socket between it and the program; the end of the Set is open for as
// long as the gate is wanted. setupPipe is below.
const guardSocket = 11

// longestToken bounds the first line of a gate.
const longestToken = 4 << 10

// execGuard starts the guard of a gate. It does not die with this process: it ends the program then, and the gate.
func (s *launcher) execGuard(c command, g *Gate) (pid int, err error) {
	socket := c.guard
	c.guard = 0 // no part of what the gate itself is set up with
	s.marks(&c)
	files := []uintptr{uintptr(s.null), c.files[1], uintptr(s.null)}
	for len(files) < guardSocket {
		files = append(files, noFile)
	}
	marks := []string{"", ""}
	if s.naming && s.mark != "" {
		marks = []string{s.mark, programMark(s.mark, c.name)}
	}
	args := slices.Concat([]string{guardName, g.Renew.String(), g.Timeout.String()}, marks, c.steps(),
		[]string{"--"}, c.argv)
	pid, err = s.fork(selfExe, args, &syscall.ProcAttr{
		Env: c.env, Files: append(files, uintptr(socket)), Sys: &syscall.SysProcAttr{Setsid: true}}, 0)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.argv[0], err)
	}
	return pid, nil
}

// selfExe is this program, though another file may have its path by now.
const selfExe = "/proc/self/exe"

// guard is the guard's own state. One goroutine, on one thread, does it all.
type guard struct {
	permission
	gate      int // PID
	gateFD    int // its pidfd
	lines     int // its standard output; -1: ended
	ws        syscall.WaitStatus
	ended     bool
	first     []byte // of its first line
	program   int    // PID; 0: none has made itself known
	programFD int    // its pidfd
	session   Session
	dead      bool   // the leader of its group
	cgroup    string // of the program, which nobody else is in; "": none
	dismissed bool   // the Set wants the gate no longer, and sees to what its program has left
	set       int    // the pidfd of its process
	alone     bool   // that, or the Set's process has died
	marks     []string
	told      bool // the Set, of the loss
	killed    bool
	clock     int // a timer that goes on while the machine sleeps
}

// runGuard returns the exit status.
func runGuard(args []string) int {
	// the death signal of the gate comes when the thread that started it ends
	runtime.LockOSThread()
	// they are for the gate, in the same group
	signal.Notify(make(chan os.Signal, 1), unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	unix.CloseOnExec(guardSocket)
	unix.SetNonblock(1, true) // a Set that is stopped does not read, and must not stop this
	g := &guard{}
	err := g.start(args)
	if err != nil {
		g.say("lost " + err.Error())
		return 127
	}
	for !g.over() {
		g.wait()
	}
	return g.leave()
}

// start starts the gate.
func (g *guard) start(args []string) (err error) {
	end := slices.Index(args, "--")
	if end < 4 {
		return syscall.EINVAL
	}
	g.marks = args[2:4]
	g.set, _ = unix.PidfdOpen(os.Getppid(), 0) // without it a Set that has died is only seen while its gate is open
	if g.renew, err = time.ParseDuration(args[0]); err == nil {
		g.timeout, err = time.ParseDuration(args[1])
	}
	if err != nil {
		return err
	}
	steps, argv := slices.Clone(args[4:end]), args[end:]
	for i, step := range steps {
		if strings.HasPrefix(step, "parent ") {
			steps[i] = fmt.Sprintf("parent %d", os.Getpid())
		}
	}
	if g.clock, err = unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return fmt.Errorf("timer: %w", err)
	}
	var out, wrong [2]int
	if err = errors.Join(unix.Pipe2(out[:], unix.O_CLOEXEC), unix.Pipe2(wrong[:], unix.O_CLOEXEC)); err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	files := []uintptr{0, uintptr(out[1]), 2}
	for len(files) < setupPipe {
		files = append(files, noFile)
	}
	g.gate, err = (&fork{}).forkExec(selfExe, slices.Concat([]string{setupName}, steps, argv), &syscall.ProcAttr{
		Env: os.Environ(), Files: append(files, uintptr(wrong[1])), Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}})
	unix.Close(out[1])
	unix.Close(wrong[1])
	if err != nil {
		return fmt.Errorf("%s: %w", argv[1], err)
	}
	if err = (&launcher{}).awaitSetup(wrong[0]); err != nil {
		return err
	}
	unix.Close(wrong[0])
	unix.SetNonblock(out[0], true)
	g.lines = out[0]
	g.gateFD, err = unix.PidfdOpen(g.gate, 0)
	return err
}

// wait waits for the next that happens, and does what is to be done then.
func (g *guard) wait() {
	fds := []unix.PollFd{{Fd: -1}, {Fd: -1}, {Fd: -1}, {Fd: -1}, {Fd: int32(g.clock), Events: unix.POLLIN}}
	const gate, lines, socket, program = 0, 1, 2, 3
	if !g.ended {
		fds[gate] = unix.PollFd{Fd: int32(g.gateFD), Events: unix.POLLIN}
		fds[lines] = unix.PollFd{Fd: int32(g.lines), Events: unix.POLLIN}
	}
	if !g.alone && g.lost == "" {
		fds[socket] = unix.PollFd{Fd: guardSocket, Events: unix.POLLIN}
	}
	if g.program != 0 && !g.dead {
		fds[program] = unix.PollFd{Fd: int32(g.programFD), Events: unix.POLLIN}
	}
	g.setClock()
	if _, err := unix.Poll(fds, -1); err != nil {
		return // EINTR
	}
	now := sinceBoot()
	g.look(now) // before what came meanwhile: it comes too late
	if fds[socket].Revents != 0 {
		g.meet()
	}
	if fds[program].Revents != 0 {
		g.dead = true
	}
	if fds[lines].Revents != 0 {
		g.read(now)
	}
	if fds[gate].Revents != 0 {
		syscall.Wait4(g.gate, &g.ws, 0, nil)
		g.ended = true
		how, _ := words(g.ws)
		g.end(now, how)
	}
	if g.lost != "" {
		g.tell()
	}
	if left, _ := g.left(now); g.alone || g.lost != "" && left == 0 {
		g.kill()
	}
}

// setClock sets the time of the next look.
func (g *guard) setClock() {
	d, ok := g.left(sinceBoot())
	if g.killed {
		d, ok = time.Second, true // whatever KILL could not end at once
	}
	var at unix.ItimerSpec // zero: never
	if ok {
		at.Value = unix.NsecToTimespec(max(1, d.Nanoseconds()))
	}
	unix.TimerfdSettime(g.clock, 0, &at, nil)
}

// meet takes the PID of the program, or the end of the Set.
func (g *guard) meet() {
	buf := make([]byte, 32)
	for {
		n, _, err := syscall.Recvfrom(guardSocket, buf, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return
		case n == 0:
			g.alone = g.lost == "" // else it was shut by tell
			return
		}
		if string(buf[:n]) == dismissal {
			g.dismissed = true
			continue
		}
		pid, _ := strconv.Atoi(string(buf[:n]))
		if fd, err := unix.PidfdOpen(pid, 0); pid > 1 && err == nil {
			g.program, g.programFD, g.dead = pid, fd, false
			p, _ := readProc(pid)
			g.session = Session{PID: pid, Start: p.start}
			_, dir, err := cgroupOfProcess(strconv.Itoa(pid))
			if dir = programGroup(dir); err == nil && strings.HasSuffix(dir, endedSuffix) {
				g.cgroup = dir
			}
		}
	}
}

// dismissal is what the Set says to a guard before it closes the socket.
const dismissal = "over"

// read takes what the gate has written.
func (g *guard) read(now time.Duration) {
	buf := make([]byte, 4096)
	n, err := unix.Read(g.lines, buf)
	if n <= 0 {
		if err != unix.EAGAIN && err != unix.EINTR {
			unix.Close(g.lines)
			g.lines = -1
		}
		return
	}
	was := g.given
	if !was {
		g.first = append(g.first, buf[:n]...)
		g.first = g.first[:min(len(g.first), longestToken)]
	}
	if bytes.IndexByte(buf[:n], '\n') < 0 {
		return
	}
	if g.line(now); g.lost != "" {
		return
	}
	if was {
		g.say("renewed")
		return
	}
	line, _, _ := bytes.Cut(g.first, []byte("\n"))
	g.say("open " + string(line))
}

// tell says that the permission is lost. No process can make itself known after that; one that has is not overlooked.
func (g *guard) tell() {
	if g.told {
		return
	}
	g.told = true
	g.say("lost " + g.lost)
	unix.Shutdown(guardSocket, unix.SHUT_RD)
	g.meet()
}

func (g *guard) say(line string) { unix.Write(1, []byte(line+"\n")) }

// kill ends the program with all its group; and what has left that, where nobody else does it in time.
func (g *guard) kill() {
	if g.program == 0 {
		return
	}
	g.killed = true
	left, _ := g.left(sinceBoot())
	strays := g.alone && !g.dismissed || g.lost != "" && left == 0
	if strays && g.cgroup != "" {
		endCgroup(g.cgroup)
	}
	err := unix.PidfdSendSignal(g.programFD, unix.SIGKILL, nil, pidfdGroup)
	if err == unix.EINVAL && (g.alone || unix.PidfdSendSignal(g.programFD, 0, nil, 0) == nil) {
		// Linux before 6.9. The number is the group's while its leader has not been reaped; and the Set, which reaps it,
		// kills the group before, or has died just now.
		unix.Kill(-g.program, unix.SIGKILL)
	}
	if strays && g.cgroup == "" {
		g.endStrays()
	}
}

// pidfdGroup is PIDFD_SIGNAL_PROCESS_GROUP.
const pidfdGroup = 1 << 2

// over tells whether there is nothing left to be guarded.
func (g *guard) over() bool {
	return (g.lost != "" || g.alone) && (g.program == 0 || g.dead)
}

// leave ends the gate, so that others may have the permission, and returns the exit status. The program has ended.
func (g *guard) leave() int {
	g.kill() // the rest of its group
	// A loss has shut the socket that would have told of the end of the Set, of which the program has died, perhaps. A Set
	// that lives ends this process now.
	if g.lost != "" && !g.alone && wait.End(g.set, time.Second) {
		g.alone = true
		g.kill()
	}
	if !g.ended && g.lost == "" {
		unix.Kill(0, unix.SIGTERM) // the group of the gate; this process takes no notice
		wait.End(g.gateFD, gatePatience)
	}
	if g.alone {
		unix.Kill(0, unix.SIGKILL) // nobody else would
	}
	if !g.ended {
		unix.Kill(g.gate, unix.SIGKILL)
		syscall.Wait4(g.gate, &g.ws, 0, nil)
	}
	if g.ws.Signaled() {
		signal.Reset(g.ws.Signal())
		unix.Kill(os.Getpid(), g.ws.Signal())
	}
	return g.ws.ExitStatus()
}
