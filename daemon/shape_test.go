//go:build linux

package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemon"
)

// panicky is a log that falls over at the word of a stop.
type panicky struct{ slog.Handler }

func (p panicky) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "stopping" {
		panic("out of ink")
	}
	return p.Handler.Handle(ctx, r)
}

// shape gives the test's daemon what a word alone says.
func shape(d *daemon.Daemon, does func(string) bool, tell func(string)) {
	if does("lives") {
		var ill atomic.Bool
		d.Alive = func() error {
			if ill.Load() {
				return errors.New("a headache")
			}
			return nil
		}
		d.Dump = func(context.Context) error { ill.Store(true); return nil }
	}
	if does("status-hangs") {
		d.Status = func() string { select {} }
	}
	if does("about-hangs") {
		d.About = func() []any { tell("about"); select {} }
	}
	if does("shouts") {
		d.Status = func() string { return "\x1b[31mred\notherd is running" }
	}
	if does("privileged-panics") {
		d.Privileged = func(context.Context) error { panic("out of cheese") }
	}
	if does("start-exits-its-goroutine") {
		d.Start = func(context.Context, context.CancelCauseFunc) error { runtime.Goexit(); return nil }
	}
	if does("tells-crashed") {
		d.Dump = func(context.Context) error { tell(fmt.Sprint("crashed ", d.Crashed())); return nil }
	}
	if does("log-panics") {
		d.Log = slog.New(panicky{slog.Default().Handler()})
	}
	d.Exits = does("exits")
	if does("stop-freezes") {
		d.Stop = func(context.Context) error {
			unix.Kill(unix.Getpid(), unix.SIGSTOP)
			return nil
		}
	}
	if does("tells-when-ready") {
		d.Ready = func() { tell("ready " + d.State()) }
	}
	if does("is-nobody") {
		d.User = os.Getenv("DAEMON_USER")
		d.Privileged = func(context.Context) error { tell("privileged " + ids()); return nil }
		d.Dump = func(context.Context) error { tell("dump " + ids()); return nil }
	}
	if does("is-passed") {
		start := d.Start
		var served []net.Listener
		d.Start = func(ctx context.Context, fail context.CancelCauseFunc) (err error) {
			if served, err = d.Listeners(); err != nil {
				return err
			}
			for _, l := range served {
				go answer(l)
			}
			for _, f := range d.Passed() {
				tell("passed " + f.Name())
			}
			tell(fmt.Sprintf("listens %d %q", len(served),
				os.Getenv("LISTEN_FDS")+os.Getenv("LISTEN_PID")+os.Getenv("LISTEN_FDNAMES")))
			return start(ctx, fail)
		}
	}
}

// answer says to whoever connects that it has been heard.
func answer(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		io.WriteString(c, "hello\n")
		c.Close()
	}
}

// ids are the users and groups that the threads of this process have, and what it still may.
func ids() string {
	var all []string
	tasks, _ := filepath.Glob("/proc/self/task/*/status")
	for _, task := range tasks {
		b, _ := os.ReadFile(task)
		var one []string
		for line := range strings.Lines(string(b)) {
			for _, key := range []string{"Uid:", "Gid:", "Groups:", "CapEff:"} {
				if rest, found := strings.CutPrefix(line, key); found {
					one = append(one, strings.Join(strings.Fields(rest), ","))
				}
			}
		}
		all = append(all, strings.Join(one, " "))
	}
	slices.Sort(all)
	euid := unix.Geteuid()
	return fmt.Sprint(euid, slices.Compact(all))
}

// state is what must not have come from the caller.
func state() string {
	cwd, _ := os.Getwd()
	umask := syscall.Umask(0)
	syscall.Umask(umask)
	sid, _ := unix.Getsid(0)
	tty, err := os.Open("/dev/tty")
	if err == nil {
		tty.Close()
	}
	var fds []string
	dir, _ := os.ReadDir("/proc/self/fd")
	for _, e := range dir {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		fd, _ := strconv.Atoi(e.Name())
		flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && (fd < 3 || flags&unix.FD_CLOEXEC == 0) {
			fds = append(fds, e.Name()+"="+target)
		}
	}
	b, _ := os.ReadFile("/proc/self/comm")
	exe, _ := os.Executable()
	unblocked := false // in one thread at least: the runtime keeps one with a mask of its own
	tasks, _ := filepath.Glob("/proc/self/task/*/status")
	for _, task := range tasks {
		status, _ := os.ReadFile(task)
		unblocked = unblocked || bytes.Contains(status, []byte("SigBlk:\t0000000000000000\n"))
	}
	return fmt.Sprintf("cwd=%s umask=%#o leader=%v tty=%v fds=%v mark=%q handover=%q notify=%q comm-is-right=%v "+
		"unblocked=%v", cwd, umask, sid == os.Getpid(), err == nil, fds, os.Getenv("_GO_DAEMON"),
		os.Getenv("_DAEMON_HANDOVER"), os.Getenv("NOTIFY_SOCKET"),
		strings.HasPrefix(filepath.Base(exe), strings.TrimSpace(string(b))), unblocked)
}
