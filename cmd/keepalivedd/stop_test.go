package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keepalivedd/keepalivedd/control"
)

// flushes is a program that takes 7 s to end after TERM, as one does that writes its memory to a disk.
const flushes = `
[program.one]
command = ["/bin/sh", "-c", "trap 'echo flushing >>$DIR/flush; sleep 7; echo flushed >>$DIR/flush; exit' TERM; echo up >>$DIR/up; while :; do sleep 0.1; done"]
stop_timeout = "60s"
`

// issue 7.A2, promise T5: stop goes by what the daemon allows itself, and not by what its configuration says by now
func TestStopGoesByTheDaemonsBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.inForce("60s", flushes)
	p := w.up()
	w.await(filepath.Join(w.dir, "up"), "^up$")
	w.inForce("50ms", flushes+"syntax error\n")
	if status, stderr := w.run("stop"); status != 0 || stderr != "" {
		t.Errorf("status %d, %q", status, stderr)
	}
	if status := p.wait(t); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	if text := w.read(filepath.Join(w.dir, "flush")); text != "flushing\nflushed\n" {
		t.Errorf("its program wrote %q", text)
	}
	w.empty()
}

// promises Q1, Q3, issue 7.A2: one that cannot be asked is told to stop, and never killed on a guess
func TestStopOfOneThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.inForce("60s", flushes)
	if err := os.Mkdir(control.Path(w.pidfile), 0o755); err != nil {
		t.Fatal(err)
	}
	p := w.up()
	w.await(filepath.Join(w.dir, "up"), "^up$")
	if status, stdout := w.say("status"); status != 4 ||
		!strings.HasPrefix(stdout, fmt.Sprintf("keepalivedd is running, pid %d, but could not be asked: ", p.pid)) {
		t.Errorf("status: %d, %q", status, stdout)
	}
	if status, stderr := w.run("reload"); status != 1 ||
		!strings.Contains(stderr,
			fmt.Sprintf("sent HUP to pid %d, but what came of it could not be asked: see its log", p.pid)) {
		t.Errorf("reload: status %d, %q", status, stderr)
	}
	w.await(w.log, "INFO reloaded")
	w.configure("nonsense = 1\n") // the daemon says it in its log only
	if status, stderr := w.run("reload"); status != 6 || !strings.Contains(stderr, "nonsense: unknown key") {
		t.Errorf("reload of what is broken: status %d, %q", status, stderr)
	}
	w.await(w.log, "ERROR reload failed.*nonsense: unknown key")
	w.inForce("60s", flushes)
	if status, stderr := w.run("reload", "--dry-run"); status != 1 || !strings.Contains(stderr, "could not be asked") {
		t.Errorf("reload --dry-run: status %d, %q", status, stderr)
	}
	w.inForce("50ms", flushes)
	if status, stderr := w.run("stop"); status != 1 || !strings.Contains(stderr, fmt.Sprintf("kill -KILL %d", p.pid)) {
		t.Errorf("status %d, %q", status, stderr)
	}
	if status := p.wait(t); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	if text := w.read(filepath.Join(w.dir, "flush")); text != "flushing\nflushed\n" {
		t.Errorf("its program wrote %q", text)
	}
	os.Remove(control.Path(w.pidfile))
	w.empty()
}

// issue 7.A2: one that is over its own budget is killed, which is said, and is no success
func TestStopThatHasToKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.inForce("3s", `
[program.one]
command = ["/bin/sh", "-c", "trap 'kill -STOP $PPID' TERM; echo up >>$DIR/up; while :; do sleep 0.1; done"]
`)
	p := w.up()
	w.await(filepath.Join(w.dir, "up"), "^up$")
	if status, stderr := w.run("stop"); status != 1 ||
		!strings.Contains(stderr, "longer than it allows itself: killing it") {
		t.Errorf("status %d, %q", status, stderr)
	}
	p.wait(t)
	w.empty()
	if _, err := os.Lstat(control.Path(w.pidfile)); err == nil {
		t.Error("its socket is left")
	}
}
