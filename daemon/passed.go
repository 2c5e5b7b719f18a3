//go:build linux

package daemon

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// passedOn is the environment variable by which the launcher tells the copy what it has been passed: DESCRIPTOR=NAME,
// with a colon between one and the next.
const passedOn = "_DAEMON_PASSED"

// Passed returns the descriptors that the caller has passed by the protocol of sd_listen_fds(3), through Detach too,
// and which [Daemon.Listeners] has not taken: sockets, mostly. The name of each is what LISTEN_FDNAMES says. It is for
// Privileged and Start; until Run it returns nothing.
func (d *Daemon) Passed() []*os.File { return d.passed }

// Listeners takes those of [Daemon.Passed] that connections can be accepted from, in their order. With none the daemon
// binds its own:
//
//	if all, err = d.Listeners(); err == nil && len(all) == 0 { … }
func (d *Daemon) Listeners() (all []net.Listener, err error) {
	var others []*os.File
	for _, f := range d.passed {
		listening := 0
		raw, err := f.SyscallConn()
		if err == nil {
			raw.Control(func(fd uintptr) { listening, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN) })
		}
		if listening == 0 {
			others = append(others, f)
			continue
		}
		l, err := net.FileListener(f)
		if err != nil {
			return all, fmt.Errorf("the socket %s that was passed: %w", f.Name(), err)
		}
		f.Close()
		all = append(all, l)
	}
	d.passed = others
	return all, nil
}

// takePassed takes what was passed to this process, and nothing that was meant for another.
func takePassed() (files []*os.File) {
	pid, number := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"} {
		os.Unsetenv(name)
	}
	n, err := strconv.Atoi(number)
	if pid != strconv.Itoa(os.Getpid()) || err != nil {
		return nil
	}
	for i := range n {
		fd := 3 + i
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			return files
		}
		name := "LISTEN_FD_" + strconv.Itoa(fd)
		if i < len(names) && names[i] != "" {
			name = names[i]
		}
		files = append(files, passedFile(fd, name))
	}
	return files
}

func passedFile(fd int, name string) *os.File {
	unix.CloseOnExec(fd)
	unix.SetNonblock(fd, true) // for the poller
	return os.NewFile(uintptr(fd), name)
}

// passOn duplicates files for one child, and says so for its environment;
// the caller calls done once that has been started.
func passOn(files []*os.File) (said string, done func(), err error) {
	var fds []int
	done = func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	var all []string
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			done()
			return "", nil, err
		}
		e := raw.Control(func(fd uintptr) {
			var own int
			if own, err = unix.FcntlInt(fd, unix.F_DUPFD, 10); err == nil {
				fds = append(fds, own)
				all = append(all, strconv.Itoa(own)+"="+f.Name())
			}
		})
		if err == nil {
			err = e
		}
		if err != nil {
			done()
			return "", nil, fmt.Errorf("duplicate the descriptor %s that was passed: %w", f.Name(), err)
		}
	}
	return strings.Join(all, ":"), done, nil
}

// adoptPassed is the other side of passOn.
func adoptPassed(said string) (files []*os.File) {
	for _, one := range strings.Split(said, ":") {
		fd, name, found := strings.Cut(one, "=")
		if n, err := strconv.Atoi(fd); found && err == nil {
			files = append(files, passedFile(n, name))
		}
	}
	return files
}
