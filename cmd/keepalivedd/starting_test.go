package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

// promise S3, P5: while somebody is starting, the pidfile is locked and empty, and everybody is told so
func TestStarting(t *testing.T) {
	w := newWorld(t, oneProgram)
	f, err := pidfile.Lock(w.pidfile)
	if err != nil {
		t.Fatal(err)
	}
	starting := fmt.Sprintf("keepalivedd: another instance is starting (pidfile %s)\n", w.pidfile)
	for _, test := range []struct {
		args   []string
		status int
		stderr string
	}{
		{nil, 100, starting},
		{[]string{"-n"}, 100, starting},
		{[]string{"status"}, 4, ""},
		{[]string{"reload"}, 100, starting},
		{[]string{"stop"}, 100, starting},
		{[]string{"up", "one"}, failure, "keepalivedd: it is starting: ask again\n"},
		{[]string{"logs"}, failure, "keepalivedd: it is starting: ask again\n"},
		{[]string{"events"}, failure, "keepalivedd: it is starting: ask again\n"},
		{[]string{"metrics"}, failure, "keepalivedd: it is starting: ask again\n"},
	} {
		if status, stderr := w.run(test.args...); status != test.status || stderr != test.stderr {
			t.Errorf("%v: status %d, %q; want %d, %q", test.args, status, stderr, test.status, test.stderr)
		}
	}
	if text := w.read(w.pidfile); text != "" {
		t.Errorf("the pidfile says %q", text)
	}

	// With the PID of this process in it, it is that of a daemon that runs.
	if err := f.Write(); err != nil {
		t.Fatal(err)
	}
	running := fmt.Sprintf("keepalivedd: already running, pid %d (pidfile %s)\n", os.Getpid(), w.pidfile)
	if status, stderr := w.run(); status != 100 || stderr != running {
		t.Errorf("status %d, %q", status, stderr)
	}
	// It answers nobody, though, and that is not told as if all were well (issue 7.A3).
	if status, stdout := w.say("status"); status != 4 ||
		!strings.HasPrefix(stdout, fmt.Sprintf("keepalivedd is running, pid %d, but could not be asked: ", os.Getpid())) {
		t.Errorf("status says %d, %q", status, stdout)
	}
	if err := f.Release(); err != nil {
		t.Fatal(err)
	}
	w.empty()
	w.down(w.up())
}

// issue 12.1: the launcher hands down an environment that no pipe has room for, and waits for nobody who reads it there
func TestStartWithALargeEnvironment(t *testing.T) {
	w := newWorld(t, "")
	for range 5 {
		c := w.command()
		for i := range 3 {
			c.Env = append(c.Env, fmt.Sprintf("LARGE%d=%s", i, strings.Repeat("x", 100_000)))
		}
		if status, stderr := w.finish(c); status != 0 || stderr != "" {
			t.Fatalf("status %d, %q", status, stderr)
		}
		w.down(w.daemon())
	}
}
