//go:build linux

package pidfile

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/wait"
)

// errUnseen is of an owner that holds the file under a PID of another PID namespace.
var errUnseen = errors.New("cannot be seen from here, as one of a container cannot")

// A Process is the owner of a pidfile, held by a pidfd: a signal reaches it or nobody. Its methods may be called by any
// goroutine, until Close.
type Process struct {
	PID   int
	pidfd int
}

// Find returns the owner of path once it is proven to be that: its witness says so, or it runs this program's
// executable, while the file names it both before and after the pidfd was opened. Nobody there is [ErrNotRunning], an
// owner that is still starting a *[HeldError], and one of which it cannot be proven another error. The caller
// closes it. Linux 5.3 or later.
func Find(path string) (p *Process, err error) {
	for range 20 { // the file may be deleted and put back between two looks at it
		if p, err = find(path, unix.PidfdOpen); !errors.Is(err, errMoved) && !errors.Is(err, errUnseen) {
			return p, err
		}
	}
	if errors.Is(err, errUnseen) {
		return nil, fmt.Errorf("pidfile %s: %w: nothing was sent to its owner", path, err)
	}
	return nil, fmt.Errorf("pidfile %s: it changes all the time: nothing was sent to its owner", path)
}

func find(path string, open func(pid, flags int) (int, error)) (*Process, error) {
	st, err := Look(path)
	if err != nil {
		return nil, err
	}
	switch st.State {
	case Free, Stale:
		return nil, ErrNotRunning
	case Starting:
		return nil, &HeldError{Path: path}
	}
	fd, err := open(st.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		if again, e := Look(path); e == nil && again == st { // a process lets go of its lock before its PID goes
			return nil, fmt.Errorf("pid %d %w", st.PID, errUnseen)
		}
		return nil, errMoved // it has ended since
	}
	switch {
	case errors.Is(err, unix.ENOSYS):
		return nil, fmt.Errorf("pid %d: nothing was sent to it: pidfd_open: %w: that takes Linux 5.3 or later", st.PID, err)
	case err != nil:
		return nil, fmt.Errorf("pid %d: pidfd_open: %w", st.PID, err)
	}
	p := &Process{st.PID, fd}
	again, err := Look(path)
	switch {
	case err == nil && again == st && (isWitness(path, st.PID) || runsOurExecutable(st.PID)):
		return p, nil
	case err == nil && again != st:
		err = errMoved
	case err == nil && !alive(st.PID):
		// It is dying: its executable has gone, the lock is next.
		p.Wait(100 * time.Millisecond)
		err = errMoved
	case err == nil:
		err = fmt.Errorf("pidfile %s: pid %d cannot be proven to be its owner: nothing was sent to it", path, st.PID)
	}
	p.Close()
	return nil, err
}

func isWitness(path string, pid int) bool {
	told, err := askWitness(path)
	return err == nil && told == pid
}

// Signal sends sig; [ErrNotRunning] when the process has ended, and an [fs.ErrPermission] when the caller may not.
func (p *Process) Signal(sig unix.Signal) error { return p.send(sig, sig) }

// May returns what Signal would, and sends nothing.
func (p *Process) May(sig unix.Signal) error { return p.send(0, sig) }

func (p *Process) send(sig, named unix.Signal) error {
	if p.pidfd < 0 {
		return fmt.Errorf("pid %d: %w", p.PID, os.ErrClosed)
	}
	switch err := unix.PidfdSendSignal(p.pidfd, sig, nil, 0); {
	case errors.Is(err, unix.ESRCH):
		return ErrNotRunning
	case err != nil:
		return fmt.Errorf("pid %d: send %s: %w", p.PID, strings.TrimPrefix(unix.SignalName(named), "SIG"), err)
	}
	return nil
}

// Wait waits for the end of the process, for at most timeout, and tells whether it has come; zero looks only. It need
// not be a child, and is not reaped.
func (p *Process) Wait(timeout time.Duration) bool {
	return wait.End(p.pidfd, timeout)
}

// Close lets go of the process, which goes on. A second Close is an [os.ErrClosed], as is that of a Process which Find
// has not returned.
func (p *Process) Close() error {
	if p.pidfd < 0 || p.PID == 0 {
		return os.ErrClosed
	}
	fd := p.pidfd
	p.pidfd = -1
	return unix.Close(fd)
}
