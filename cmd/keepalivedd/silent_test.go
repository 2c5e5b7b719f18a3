package main

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// promise Q1: a daemon that says nothing keeps nobody waiting who would print what it says; that it could not be asked
// is said, and is never 0
func TestSilentDaemon(t *testing.T) {
	w := newWorld(t, oneProgram)
	f, err := pidfile.Acquire(w.pidfile) // this process is the daemon, as far as anybody can see
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	l, err := net.Listen("unix", control.Path(w.pidfile))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	type said struct {
		status int
		stderr string
	}
	all := map[string]chan said{}
	for _, verb := range []string{"events", "logs", "logs -f", "metrics"} {
		c := make(chan said, 1)
		all[verb] = c
		go func() {
			status, stderr := w.run(strings.Fields(verb)...)
			c <- said{status, stderr}
		}()
	}
	for verb, c := range all {
		if got := <-c; got.status != failure || !strings.Contains(got.stderr, "there was no answer in time") {
			t.Errorf("%s: %+v", verb, got)
		}
	}
}

// promise Q1: of a daemon that is stopped itself everybody is told so, and how it goes on, without any wait; a HUP is
// left for it, and a stop has it go on
func TestStoppedDaemon(t *testing.T) {
	w := newWorld(t, oneProgram)
	d := w.up()
	d.signal(t, unix.SIGSTOP)
	// A thread may answer until one has got to the signal.
	if err := unix.Waitid(unix.P_PID, d.pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%s: pid %d is stopped, and answers once it goes on: kill -CONT %[2]d",
		control.Path(w.pidfile), d.pid)
	for verb, status := range map[string]int{"events": failure, "logs": failure, "logs -f": failure, "metrics": failure,
		"status --json": statusUnknown, "up one": failure, "restart one": failure, "upgrade": failure,
		"reload --dry-run": failure, "reload": failure} {
		c := w.command(strings.Fields(verb)...)
		var stdout strings.Builder
		c.Stdout = &stdout
		if got, stderr := w.finish(c); got != status || !strings.Contains(stderr+stdout.String(), want) {
			t.Errorf("%s: %d, %s%s", verb, got, stderr, stdout.String())
		}
	}
	for range 1000 { // until there is no room for who would ask
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: control.Path(w.pidfile)}); err == unix.EAGAIN {
			break
		}
	}
	if status, out := w.say("status"); status != statusUnknown || !strings.Contains(out, want) {
		t.Errorf("status of one whom nobody can ask: %d, %s", status, out)
	}
	d.signal(t, unix.SIGCONT)
	w.await(w.log, "reloaded")
	if status, stderr := w.run("logs"); status != ok {
		t.Errorf("logs, once it goes on: %d, %s", status, stderr)
	}
	d.signal(t, unix.SIGSTOP)
	if status, stderr := w.run("stop"); status != ok || stderr != "" {
		t.Errorf("stop: %d, %s", status, stderr)
		d.signal(t, unix.SIGCONT)
	}
	w.empty()
}
