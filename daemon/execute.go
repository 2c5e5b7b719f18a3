//go:build linux

package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// How a process becomes another program: what that is told by its environment, and how no signal is lost, or deadly, on
// the way.

// The environment variables of a program that takes over: the descriptor of the image, why the one that was to take
// over from this one has not, and what was asked for meanwhile, see [owed].
const (
	successor = "_DAEMON_SUCCESSOR"
	returned  = "_DAEMON_RETURNED"
	owes      = "_DAEMON_OWES"
)

// harmless are the signals that end a process which does not catch them, and must not end one that is about to: from
// the exec until the runtime of the program that comes has begun to catch them they are ignored. Those of job control
// end nobody, and one that is ignored would stay so: nobody could stop a program on a terminal any more.
var harmless = [...]os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE, unix.SIGALRM,
	unix.SIGVTALRM, unix.SIGPROF, unix.SIGIO, unix.SIGPWR}

// brace is for before any signal is caught. In the moment in which quiet has the runtime ignore one that is caught, the
// runtime does with it what it found when it began to catch it (sigfwdgo in runtime/signal_unix.go), and that would be
// to end the process. So it is to find it ignored, as it does in a program that has taken over. Those are the ones that
// [signals.Notify] goes on to catch.
func brace() { signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGPIPE, unix.SIGUSR1, unix.SIGUSR2) }

// settle waits until what has been caught is in its channel: [signal.Ignore] loses what is on its way there. It is for
// who catches HUP; nobody else could stop to catch it without dying of one.
func settle() {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, unix.SIGHUP)
	signal.Stop(caught) // waits for that
}

// quiet ends the catching of signals, of which release stops that of TERM. One that has come before is in its
// channel when it returns. TERM is deadly then: it would be lost otherwise.
func quiet(release func()) {
	signal.Ignore(harmless[:]...)
	release() // by signal.Stop, which waits for what is on its way; signal.Reset would lose it
	signal.Reset(unix.SIGTERM)
}

// unquiet ends the ignoring of them, which children would inherit, where nobody catches them:
// [signal.Reset] leaves a signal ignored that was.
func unquiet() {
	caught := make(chan os.Signal, len(harmless))
	signal.Notify(caught, harmless[:]...)
	signal.Stop(caught)
}

// execute has the process become the program of a descriptor, with these arguments and descriptors and nothing else of
// it. It returns only with an error, and all is as it was but for quiet.
func execute(program int, args []string, fds []int, env []string) error {
	var limit unix.Rlimit
	known := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil
	for _, fd := range fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("descriptor %d: %w", fd, err)
		}
	}
	names := []string{successor, returned, owes}
	all := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(names, name)
	})
	err := syscall.Exec("/proc/self/fd/"+strconv.Itoa(program), args, append(all, env...))
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	if known { // the runtime has put back what it had raised
		unix.Prlimit(0, unix.RLIMIT_NOFILE, &limit, nil)
	}
	return explainExec(err)
}

// explainExec says what the kernel's word for it means.
func explainExec(err error) error {
	switch {
	case errors.Is(err, unix.ENOEXEC):
		return fmt.Errorf("it is no program that this machine can execute: %w", err)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("it may not be executed (chmod +x): %w", err)
	case errors.Is(err, unix.ETXTBSY):
		return fmt.Errorf("it is being written: %w", err)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("its interpreter is not there, or it is a script: %w", err)
	}
	return err
}
