package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/wait"
)

// runHook runs a command of the daemon itself to its end. It fails with the last that the command wrote. What a startup
// command that worked has left running goes on until the daemon stops, and may go on writing, to nowhere; what another
// has left in its process group is killed, because nobody else would end it.
func (s *service) runHook(ctx context.Context, what string, h *settings.Hook) error {
	if h == nil {
		return nil
	}
	own, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	pid, wrote, err := s.runToEnd(own, h.Command, h == s.config.Startup)
	when := fmt.Sprintf("after %v", h.Timeout)
	if ctx.Err() != nil {
		when = "by the end of the stop" // whose time was over, or was ended by a second signal
		if h == s.config.Startup {
			when = "when the start was called off"
		}
	}
	switch {
	case own.Err() != nil && pid == 0:
		err = fmt.Errorf("not executed %s", when)
	case errors.Is(err, errOver):
		err = fmt.Errorf("killed %s", when)
	}
	if err == nil {
		return nil
	}
	if wrote = bytes.TrimSpace(wrote); len(wrote) == 0 {
		return fmt.Errorf("%s: %s: %w", what, h.Command[0], err)
	}
	return fmt.Errorf("%s: %s: %w; it wrote:\n%s", what, h.Command[0], err, wrote)
}

// errOver is of a command that was killed.
var errOver = errors.New("its time is over")

// runToEnd runs a command, and kills it with its group when ctx ends, which is errOver. What it leaves in its group is
// killed, but where it is to be spared if the command worked. It returns its PID, 0 if it was not executed, and
// the last that it wrote. It does not wait for others who have its output too; what they write is read, and passed
// over, until they are gone.
func (s *service) runToEnd(ctx context.Context, argv []string, spares bool) (pid int, wrote []byte, err error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return 0, nil, os.NewSyscallError("pipe", err)
	}
	unix.SetNonblock(ends[0], true) // for the poller to wait for it
	r := os.NewFile(uintptr(ends[0]), "pipe")
	pid, err = s.startHook(ctx, argv, ends[1])
	unix.Close(ends[1])
	if err != nil {
		r.Close()
		return 0, nil, err
	}
	var last ending
	stopped := make(chan struct{})
	go func() {
		io.Copy(&last, r)
		close(stopped)
	}()
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		syscall.Kill(-pid, syscall.SIGKILL)
		close(killed)
	})
	// Once it is reaped its number may be another's.
	clean, gone := wait.Await(pid)
	over := !stop()
	switch {
	case over:
		<-killed
	case gone == nil && (!spares || !clean):
		syscall.Kill(-pid, syscall.SIGKILL)
	}
	if err = awaitExit(pid); over {
		err = errOver
	}
	r.SetReadDeadline(time.Now())
	<-stopped
	r.SetReadDeadline(time.Time{})
	last.takeRest(r)
	s.passOver(r)
	return pid, last, err
}

// startHook has the Spawner fork: an exec that hangs is to hold up nobody, and the death signal is to come with the end
// of the main thread.
func (s *service) startHook(ctx context.Context, argv []string, output int) (pid int, err error) {
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	defer unix.Close(null)
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if mark := s.mark(); mark != "" {
		env = append(env, mark)
	}
	return s.spawner.Start(ctx, argv[0], argv, &syscall.ProcAttr{Dir: "/", Env: env,
		Files: []uintptr{uintptr(null), uintptr(output), uintptr(output)},
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}})
}

// awaitExit waits for the end of a child, and reaps it. Anything but status 0 is an error.
func awaitExit(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	state, err := p.Wait()
	if err == nil && !state.Success() {
		err = errors.New(state.String())
	}
	return err
}

// passOver reads what is left of a pipe, for as long as somebody may write.
func (s *service) passOver(r *os.File) {
	s.leftover.Store(r)
	go func() {
		io.Copy(io.Discard, r)
		s.leftover.CompareAndSwap(r, nil)
		r.Close()
	}()
}

// ending is the last that was written to it.
type ending []byte

func (e *ending) Write(p []byte) (int, error) {
	const kept = 1024
	b := append(*e, p[max(0, len(p)-kept):]...)
	*e = append(b[:0], b[max(0, len(b)-kept):]...)
	return len(p), nil
}

// takeRest takes what is in a pipe, and waits for nothing.
func (e *ending) takeRest(r *os.File) {
	raw, err := r.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, 64<<10) // what a pipe holds
	raw.Read(func(fd uintptr) bool {
		if n, _ := unix.Read(int(fd), buf); n > 0 {
			e.Write(buf[:n])
		}
		return true
	})
}
