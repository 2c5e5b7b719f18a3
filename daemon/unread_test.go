//go:build linux

package daemon_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/fdtest"
)

// unread is a standard error whose reader has gone: to write to it is deadly, unless somebody sees to that.
func unread(t *testing.T) func(*exec.Cmd) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() { w.Close() })
	return func(c *exec.Cmd) { c.Stderr = w }
}

// startUnread is for a sample: it has something to say, and somebody may read it, who does not.
func startUnread(t *testing.T, s *sample) {
	full := fdtest.FullPipe(t)
	start := func() int {
		c := exec.Command(s.exe, append(s.args, "-daemon")...)
		c.Stderr = full
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		hung := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
		defer hung.Stop()
		c.Wait()
		return c.ProcessState.ExitCode()
	}
	if err := os.WriteFile(s.pid, []byte("stale\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if first, second := start(), start(); first != 0 || second != 100 {
		t.Errorf("status %d, and of a second start %d", first, second)
	}
	s.expect(0, "", "stop")
	s.breaks()
	if status := start(); status != 1 {
		t.Errorf("a start that fails: status %d", status)
	}
	s.left()
}

// promises S1, S6: a start does what it would, and returns what it would, though nobody reads what it says
func TestStartThatNobodyReads(t *testing.T) {
	w := newWorld(t, "")
	if err := os.WriteFile(w.pidfile, []byte("stale\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.up(unread(t))
	for _, does := range []string{".", "main", "main foreground"} {
		if status, _ := w.start(unread(t), func(c *exec.Cmd) { c.Env = append(c.Env, "DAEMON_TEST="+does) }); status != 100 {
			t.Errorf("%s: a second start: status %d, want 100", does, status)
		}
	}
	fails := newWorld(t, "start-fails main")
	if status, _ := fails.start(unread(t)); status != 1 {
		t.Errorf("a start that fails: status %d, want 1", status)
	}
	fails.gone()
	w = newWorld(t, "verbs")
	if err := os.WriteFile(w.pidfile, []byte("stale\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, _ := w.start(unread(t), func(c *exec.Cmd) { c.Args = append(c.Args, "stop") }); status != 0 {
		t.Errorf("stop: status %d, want 0", status)
	}
	w.gone()
}

// promise A2: what ends a daemon is in its log, though there is nobody any more to be told on standard error
func TestEndThatNobodyReads(t *testing.T) {
	t.Run("after it was ready", func(t *testing.T) {
		w, log := withLog(t, "falls-over main foreground tells-when-ready")
		c := w.command()
		unread(t)(c)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		w.expect("start")
		w.expect("ready running")
		w.signal(c.Process.Pid, unix.SIGUSR1)
		if c.Wait(); c.ProcessState.ExitCode() != 1 || !strings.Contains(log(), "it fell over") {
			t.Errorf("%v; the log:\n%s", c.ProcessState, log())
		}
	})
	t.Run("its launcher dies", func(t *testing.T) {
		w, log := withLog(t, "start-waits main")
		c := w.command()
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		w.expect("start")
		pid := w.pid()
		c.Process.Kill()
		c.Wait()
		w.expect("called off")
		if status := w.end(pid); status != 1 || !strings.Contains(log(), "the launching process died") {
			t.Errorf("status %d; the log:\n%s", status, log())
		}
		w.gone()
	})
}

// promise S2: with too few descriptors a start says so, and nothing is left of it
func TestStartWithFewDescriptors(t *testing.T) {
	for _, does := range []string{".", "foreground"} {
		for limit := 6; limit < 15; limit++ {
			w := newWorld(t, does)
			status, stderr := w.start(func(c *exec.Cmd) {
				c.Args = []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0"`, limit), c.Path}
				c.Path = "/bin/sh"
			})
			if status != 1 || !strings.Contains(stderr, "descriptors are needed") || strings.Count(stderr, "\n") != 1 {
				t.Errorf("%s, with %d: status %d, %q", does, limit, status, stderr)
			}
			w.gone()
		}
	}
}

// promise A2: a panic in Start is told by the next start, too, for who has not seen the first
func TestCrashInStartIsToldByTheNext(t *testing.T) {
	for _, does := range []string{"start-panics", "start-panics foreground"} {
		w, _ := withLog(t, does)
		if status, _ := w.start(unread(t)); status != 2 {
			t.Errorf("%s: status %d, want 2", does, status)
		}
		next, log := withLog(t, "")
		next.pidfile = w.pidfile
		next.env = append(next.env, "DAEMON_PIDFILE="+w.pidfile)
		next.up()
		if !strings.Contains(log(), "the previous daemon crashed: panic: out of cheese") {
			t.Errorf("%s: the log of the next start:\n%s", does, log())
		}
	}
}
