//go:build linux

package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	godaemon "github.com/sevlyar/go-daemon"
	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/pidfile"
	"github.com/keepalivedd/keepalivedd/signals"
)

// handover is the environment variable that goes with go-daemon's mark:
// PIDFILE-DESCRIPTOR,WITNESS-DESCRIPTOR,STALE,PATH. The mark without it is somebody else's.
const handover = "_DAEMON_HANDOVER"

// What the background copy writes to the pipe is text for the caller, but for these: verdict, when it is ready, and
// because before and after the reason why it will not be.
const (
	verdict = 0
	because = 1
)

// Detach starts a copy of this program, with the same arguments, that runs in the background: in a session of its own,
// without a terminal, with nothing of the caller's but its environment, what it has passed for that, see
// [Daemon.Passed], and, until it is ready, its directory. Call it early in main, before any goroutine or descriptor is
// made, and leave with the status when launched is true:
//
//   - in the process that was called, launched is true, and the status is 0 when the copy is ready: Start has returned,
//     and the pidfile names it. Otherwise nothing is left running and no pidfile left behind, the reason has been
//     written to standard error, be it what Run has returned in the copy, and the status is the copy's own, or that of
//     [ExitStatus].
//   - in the copy, launched is false and Run is to follow; what only Run makes use of, Log above all, may be set before
//     it. Until it is ready, what it writes to standard error goes to the caller's, and should the launcher die,
//     so does it.
//   - as PID 1, launched is false, and the process stays in the foreground. So it does in a program that takes over
//     from another, see [Daemon.Upgrade]: it is in the background already, or was not to be. One that is only to say
//     whether it could is launched, with its status.
//
// The pidfile is locked here, and handed over without a gap: a second start is refused before it costs anything.
func (d *Daemon) Detach() (status int, launched bool) {
	if os.Getpid() == 1 {
		return 0, false
	}
	mindZone()
	if status, is := d.Rehearse(); is {
		return status, true
	}
	if d.Inherited == nil {
		d.Inherited = Inherit()
	}
	if d.Inherited != nil {
		return 0, false
	}
	said, marked := os.LookupEnv(handover)
	os.Unsetenv(handover)
	passed := os.Getenv(passedOn)
	os.Unsetenv(passedOn)
	if marked && godaemon.WasReborn() {
		d.passed = adoptPassed(passed)
		if err := d.becomeCopy(said); err != nil {
			d.report(err)
			return ExitStatus(err), true
		}
		return 0, false
	}
	os.Unsetenv(godaemon.MARK_NAME)
	surviveUnread()
	status, err := d.launch()
	if err != nil {
		d.report(err)
	}
	return status, true
}

// Continues reports whether this process goes on with what another, or another program, has begun: it is the
// background copy that Detach has started, or takes over by an Upgrade. It is asked before Detach and Inherit, which
// forget that.
func Continues() bool {
	return os.Getenv(handover) != "" && godaemon.WasReborn() || os.Getenv(successor) != ""
}

func (d *Daemon) launch() (status int, err error) {
	// What our caller passed on ends here: a pipe of its, held open, would let it wait for ever.
	if err = closeOnExec(); err != nil {
		return ExitStatus(err), err
	}
	if err = spare(); err != nil {
		return ExitStatus(err), err
	}
	var file *pidfile.File
	fds, done := [2]int{-1, -1}, func() {}
	if d.PIDFile != "" {
		who, err := d.account()
		if err == nil {
			err = d.makeDirectory(who)
		}
		if err != nil {
			return ExitStatus(err), err
		}
		if file, err = pidfile.Lock(d.PIDFile); err != nil {
			return ExitStatus(err), err
		}
		if fds, done, err = file.Handover(); err != nil {
			file.Release()
			return ExitStatus(err), err
		}
	}
	c, err := d.startCopy(file, fds)
	done()
	if err != nil {
		err = fmt.Errorf("detach: %w", err)
		status = ExitStatus(err)
	} else {
		status, err = c.await(orDefault(d.StartTimeout, 90*time.Second), d.grace()+forced)
	}
	if file != nil && status == 0 {
		file.Abandon()
	} else if file != nil {
		if c != nil && c.killed {
			sayKilled(CrashFile(file.Path()))
		}
		if d.Left != nil && file.Named() {
			d.Left()
		}
		removeEmpty(CrashFile(file.Path()))
		control.Remove(control.Path(file.Path())) // of a copy that has died
		file.Release()
	}
	return status, err
}

func (d *Daemon) startCopy(file *pidfile.File, fds [2]int) (*launchedCopy, error) {
	passed, passedDone, err := passOn(takePassed())
	if err != nil {
		return nil, err
	}
	defer passedDone()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	defer unix.Close(p[1])
	said := "-1,-1,false,"
	if file != nil {
		said = fmt.Sprintf("%d,%d,%t,%s", fds[0], fds[1], file.Stale(), file.Path())
	}
	done, err := signals.Unblock()
	if err != nil {
		return nil, err
	}
	defer done()
	re := godaemon.Context{
		LogFileName: "/proc/self/fd/" + strconv.Itoa(p[1]), // opened anew, so it blocks as an output should
		Env:         slices.Concat(os.Environ(), d.Env, []string{handover + "=" + said, passedOn + "=" + passed}),
	}
	child, err := re.Reborn()
	if child == nil { // an error with a child means that the child died, or will say itself what is wrong
		unix.Close(p[0])
		return nil, err
	}
	return &launchedCopy{Process: child, pipe: p[0]}, nil
}

// backgroundCopy is what the copy got from its launcher.
type backgroundCopy struct {
	file     *pidfile.File // nil: no pidfile
	launcher *os.File      // the pipe; its other end closes when the launcher leaves
	told     atomic.Bool   // the verdict has been given: the launcher may leave
}

// becomeCopy is the other side of startCopy: said is what handover said.
func (d *Daemon) becomeCopy(said string) error {
	os.Unsetenv(godaemon.MARK_NAME)
	// Reborn would do no more than this here, but read from standard input what is of no use to us.
	if err := unix.Dup3(3, 0, 0); err != nil {
		return fmt.Errorf("take over from the launcher: %w", err)
	}
	unix.Umask(d.umask())
	c := &backgroundCopy{}
	parts := strings.SplitN(said, ",", 4)
	if len(parts) != 4 {
		return fmt.Errorf("%s=%q: not from this program", handover, said)
	}
	if d.PIDFile != "" || parts[3] != "" {
		path := d.pidfile()
		if path != parts[3] {
			return fmt.Errorf("the pidfile was changed from %q to %q in the midst of the start: start again", parts[3],
				d.PIDFile)
		}
		lock, err := strconv.Atoi(parts[0])
		witness, err2 := strconv.Atoi(parts[1])
		if err = errors.Join(err, err2); err != nil {
			return fmt.Errorf("%s=%q: not from this program", handover, said)
		}
		if c.file, err = pidfile.Adopt(path, [2]int{lock, witness}, parts[2] == "true"); err != nil {
			return err
		}
	}
	// Opened anew, for a description of its own: standard error must go on blocking.
	pipe, err := unix.Open("/proc/self/fd/2", unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("take over from the launcher: %w", err)
	}
	c.launcher = os.NewFile(uintptr(pipe), "launcher")
	d.copy = c
	return unix.Close(3) // go-daemon's /dev/null
}

var errOrphaned = errors.New("the launching process died before the daemon was ready: " +
	"a start that nobody is told of is called off")

// onOrphaned calls off the start when the launcher dies before the verdict. Its goroutine ends with the verdict.
func (c *backgroundCopy) onOrphaned(fail context.CancelCauseFunc) {
	raw, err := c.launcher.SyscallConn()
	if err != nil {
		return
	}
	// A read, though the pipe is for writing: the poller wakes it for POLLERR and for nothing else.
	go raw.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd)}}
		if n, _ := unix.Poll(p, 0); n == 1 && p[0].Revents&unix.POLLERR != 0 {
			if !c.told.Load() {
				fail(errOrphaned)
			}
			return true
		}
		return false
	})
}

// ready gives the verdict. What the copy still has of its caller goes in the same step: a write to the pipe would be
// deadly once the launcher has left, and the directory could not be unmounted.
func (c *backgroundCopy) ready() error {
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	defer unix.Close(null)
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("change to /: %w", err)
	}
	for fd := range 3 {
		if err := unix.Dup3(null, fd, 0); err != nil {
			return fmt.Errorf("put %s on descriptor %d: %w", os.DevNull, fd, err)
		}
	}
	c.told.Store(true)
	_, err = c.launcher.Write([]byte{verdict})
	c.launcher.Close()
	if err != nil {
		return errOrphaned
	}
	return nil
}
