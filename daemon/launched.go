//go:build linux

package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/stderr"
)

// launchedCopy is the background copy as the launcher sees it.
type launchedCopy struct {
	*os.Process
	pipe   int  // the other end is its standard output and error
	killed bool // by a signal
	heard
}

// await passes on what the copy writes until its verdict, its end, or the timeout.
func (c *launchedCopy) await(timeout, grace time.Duration) (status int, err error) {
	defer unix.Close(c.pipe)
	pidfd, err := unix.PidfdOpen(c.Pid, 0)
	if err != nil {
		pidfd = -1 // Linux before 5.3: its end shows on the pipe alone
	}
	defer unix.Close(pidfd)
	waiting := []unix.PollFd{{Fd: int32(c.pipe), Events: unix.POLLIN}, {Fd: int32(pidfd), Events: unix.POLLIN}}
	deadline := time.Now().Add(timeout)
	for {
		n, err := unix.Poll(waiting, int(max(0, time.Until(deadline)).Milliseconds())+1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 1, c.end(grace, fmt.Errorf("wait for the background copy: %w", err))
		case n == 0:
			return 1, c.end(grace, fmt.Errorf("not ready after %v, so it was stopped", timeout))
		}
		// Its end is looked for first: all that it has written is in the pipe by then.
		ended := waiting[1].Revents != 0
		ready, eof := c.passOn(stderr.Writer{})
		switch {
		case ready:
			return 0, nil
		case eof && pidfd < 0, ended:
			return c.status()
		case eof:
			waiting[0].Fd = -1
		}
	}
}

// passOn copies what is in the pipe now.
func (c *launchedCopy) passOn(to io.Writer) (ready, eof bool) {
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(c.pipe, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return false, !errors.Is(err, unix.EAGAIN)
		case n == 0:
			return false, true
		}
		text, ready := c.hear(buf[:n])
		to.Write(text)
		if ready {
			return true, false
		}
	}
}

// status is that of a copy that ended without a verdict; it has said why, unless it could not, or has said so to Run's
// caller alone.
func (c *launchedCopy) status() (int, error) {
	state, err := c.Wait()
	switch {
	case err != nil:
		return 1, fmt.Errorf("wait for the background copy: %w", err)
	case state.Exited() && state.ExitCode() != 0:
		return state.ExitCode(), c.untold(state.ExitCode())
	case state.Exited():
		return 1, errors.New("it was stopped before it was ready")
	}
	c.killed = true
	return 1, fmt.Errorf("it died before it was ready: %v", state)
}

// end ends a copy that is late, by TERM and then by KILL. That it was called off is what the copy has to say of why.
func (c *launchedCopy) end(grace time.Duration, why error) error {
	c.Signal(unix.SIGTERM)
	killer := time.AfterFunc(grace, func() { c.Kill() })
	defer killer.Stop()
	state, err := c.Wait()
	c.killed = err == nil && !state.Exited()
	var said bytes.Buffer
	c.passOn(&said)
	for line := range bytes.Lines(said.Bytes()) {
		if !bytes.Contains(line, []byte(errAsked.Error())) {
			stderr.Writer{}.Write(line)
		}
	}
	return why
}
