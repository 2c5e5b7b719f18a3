//go:build linux

package daemon_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

func (w *world) status() (state, text string, pid int) {
	w.t.Helper()
	var s struct {
		Version, PID                 int
		Name, State, PIDFile, Status string
	}
	if err := control.Ask(w.t.Context(), control.Path(w.pidfile), "status", nil, &s); err != nil {
		w.t.Fatal(err)
	}
	if s.Version != 1 || s.Name != "testd" || s.PIDFile != w.pidfile {
		w.t.Errorf("it says %+v", s)
	}
	return s.State, s.Status, s.PID
}

// issue 7.A3: a daemon can be asked from the PID in the file on until its end
func TestStatus(t *testing.T) {
	w := newWorld(t, "foreground start-waits stop-waits")
	c := w.command()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w.expect("start")
	if state, text, pid := w.status(); state != daemon.Starting || text != "well" || pid != c.Process.Pid {
		t.Errorf("%s, %q, %d", state, text, pid)
	}
	w.signal(c.Process.Pid, unix.SIGTERM)
	w.expect("called off")
	c.Wait()

	w = newWorld(t, "stop-waits")
	pid := w.up()
	w.expect("start")
	if state, _, _ := w.status(); state != daemon.Running {
		t.Error(state)
	}
	w.signal(pid, unix.SIGTERM)
	w.expect("stop")
	if state, _, _ := w.status(); state != daemon.Stopping {
		t.Error(state)
	}
	w.signal(pid, unix.SIGTERM)
	w.end(pid)
	if _, err := os.Lstat(control.Path(w.pidfile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its socket is left: %v", err)
	}
}

// issue 7.A7: who asks for a reload, and the log, are told what it has touched;
// a dry run says the same and touches nothing.
func TestTouched(t *testing.T) {
	w := newWorld(t, "")
	log := w.pidfile + ".log"
	w.env = append(w.env, "DAEMON_LOG="+log)
	pid := w.up()
	w.expect("start")
	if said, err := daemon.DryRun(w.pidfile, time.Minute); said != "would: +web" || err != nil {
		t.Errorf("%q, %v", said, err)
	}
	w.expect("dry run")
	if said, err := daemon.AskReload(w.pidfile, time.Minute); said != "+web" || err != nil {
		t.Errorf("%q, %v", said, err)
	}
	w.expect("reload")
	w.signal(pid, unix.SIGHUP)
	w.expect("reload")
	w.signal(pid, unix.SIGTERM)
	w.expect("stop")
	w.end(pid)
	if b, _ := os.ReadFile(log); strings.Count(string(b), "msg=reloaded touched=+web") != 2 {
		t.Errorf("the log:\n%s", b)
	}

	w = newWorld(t, "reload-fails")
	w.up()
	w.expect("start")
	var refused *daemon.RefusedError
	if _, err := daemon.DryRun(w.pidfile, time.Minute); !errors.As(err, &refused) || refused.Reason != "no" {
		t.Errorf("%v", err)
	}
	w.expect("dry run")
}

// promises Q1, Q3, issue 7.A3: what could not be asked is never a success. The daemon is signalled all the same.
func TestReloadOfOneThatCannotBeAsked(t *testing.T) {
	w := newWorld(t, "")
	if err := os.Mkdir(control.Path(w.pidfile), 0o755); err != nil {
		t.Fatal(err)
	}
	pid := w.up()
	w.expect("start")
	var unasked *daemon.UnaskedError
	if _, err := daemon.DryRun(w.pidfile, time.Minute); !errors.As(err, &unasked) || unasked.HUP {
		t.Errorf("%v", err)
	}
	if err := daemon.Reload(w.pidfile, time.Minute); !errors.As(err, &unasked) || !unasked.HUP || unasked.PID != pid ||
		!strings.Contains(err.Error(), "could not be asked: see its log") {
		t.Errorf("%v", err)
	}
	w.expect("reload")
	if _, err := daemon.AskBudget(w.pidfile, time.Minute); err == nil {
		t.Error("it told its budget")
	}
}

// issue 7.A2: what a daemon allows itself, and what is left of it
func TestBudget(t *testing.T) {
	w := newWorld(t, "stop-waits") // with a Grace of 20 s
	if _, err := daemon.AskBudget(w.pidfile, 0); !errors.Is(err, pidfile.ErrNotRunning) {
		t.Errorf("nobody runs: %v", err)
	}
	pid := w.up()
	w.expect("start")
	if d, err := daemon.AskBudget(w.pidfile, 0); err != nil || d != 22*time.Second {
		t.Errorf("with no patience of its own: %v, %v", d, err)
	}
	told := func() time.Duration {
		t.Helper()
		d, err := daemon.AskBudget(w.pidfile, time.Minute)
		if err != nil {
			t.Error(err)
		}
		return d
	}
	if d := told(); d != 22*time.Second {
		t.Error(d)
	}
	w.signal(pid, unix.SIGTERM)
	w.expect("stop")
	first := told()
	if second := told(); first > 22*time.Second || second >= first {
		t.Errorf("%v, then %v", first, second)
	}
	w.signal(pid, unix.SIGTERM)
	w.end(pid)

	// One that is busy with something else comes to an end with that first.
	w = newWorld(t, "reload-waits")
	pid = w.up()
	w.expect("start")
	w.signal(pid, unix.SIGHUP)
	w.expect("reload")
	if d := told(); d != 42*time.Second {
		t.Error(d)
	}
	w.signal(pid, unix.SIGTERM)
	w.end(pid)
}

// promise T4: a daemon knows who has asked for its budget, and where that comes from.
func TestAskers(t *testing.T) {
	asked := make(chan []int)
	d := &daemon.Daemon{PIDFile: t.TempDir() + "/pid"}
	d.Start = func(ctx context.Context, fail context.CancelCauseFunc) error {
		before := d.Askers()
		if _, err := daemon.AskBudget(d.PIDFile, time.Minute); err != nil {
			t.Error(err)
		}
		go func() { asked <- before; asked <- d.Askers(); fail(nil) }()
		return nil
	}
	if pids := d.Askers(); pids != nil || d.State() != "" {
		t.Errorf("before Run: %v, %q", pids, d.State())
	}
	ended := make(chan error)
	go func() { ended <- d.Run(t.Context()) }()
	if pids := <-asked; pids != nil {
		t.Errorf("before anybody has asked: %v", pids)
	}
	if pids := <-asked; !slices.Contains(pids, os.Getpid()) || !slices.Contains(pids, os.Getppid()) {
		t.Errorf("%v, want %d and %d among them", pids, os.Getpid(), os.Getppid())
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := pidfile.Find(d.PIDFile); !errors.Is(err, pidfile.ErrNotRunning) {
		t.Error(err)
	}
}

// An asker that has ended is forgotten, whoever has its number by now.
func TestAskerThatHasEnded(t *testing.T) {
	w := newWorld(t, "tells-its-askers")
	pid := w.up()
	w.expect("start")
	other := newWorld(t, "asks-the-budget-of "+w.pidfile)
	if status, stderr := other.start(); status != 0 {
		t.Fatal(stderr)
	}
	w.signal(pid, unix.SIGUSR1)
	w.expect("dump")
	w.expect("[]")
}

// promise Q1: whoever asks for the state, on whatever goroutine and however early, gets one
func TestStateAtAnyTime(t *testing.T) {
	d := &daemon.Daemon{PIDFile: t.TempDir() + "/pid"}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	order := []string{"", daemon.Starting, daemon.Running}
	for at := 0; at < 2; runtime.Gosched() {
		i := slices.Index(order, d.State())
		if i < at {
			t.Fatalf("%q after %q", d.State(), order[at])
		}
		at = i
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
