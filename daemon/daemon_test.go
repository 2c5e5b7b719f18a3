//go:build linux

package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemon"
)

// promise S1, T1, P4
func TestLife(t *testing.T) {
	w := newWorld(t, "")
	pid := w.up()
	w.expect("start")
	w.signal(pid, unix.SIGHUP)
	w.expect("reload")
	w.signal(pid, unix.SIGUSR1)
	w.expect("dump")
	w.signal(pid, unix.SIGTERM)
	w.expect("stop")
	if status := w.end(pid); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	w.gone()
}

// issue 12.2: a program that goes on after Run has its signals back; in one that exits they stay caught.
func TestSignalsAfterRun(t *testing.T) {
	for does, want := range map[string]int{"is-stopped-again": 128 + int(unix.SIGTERM), "is-stopped-again exits": 0} {
		w := newWorld(t, does)
		pid := w.up()
		w.expect("start")
		w.signal(pid, unix.SIGTERM)
		w.expect("stop")
		if want == 0 {
			w.expect("lives on")
		}
		if status := w.end(pid); status != want {
			t.Errorf("%s: it ended with %d, want %d", does, status, want)
		}
		w.gone()
	}
}

// promise S1: nothing to do is something that can be done
func TestNoHooks(t *testing.T) {
	w := newWorld(t, "no-hooks")
	pid := w.up()
	w.signal(pid, unix.SIGHUP)
	w.signal(pid, unix.SIGUSR1)
	w.signal(pid, unix.SIGUSR2)
	w.signal(pid, unix.SIGTERM)
	if status := w.end(pid); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	w.gone()
}

// promise R2, T2
func TestTermDuringAHook(t *testing.T) {
	t.Run("start", func(t *testing.T) {
		w := newWorld(t, "start-waits")
		c := w.command()
		stderr := new(strings.Builder)
		c.Stderr = stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		w.expect("start")
		w.signal(w.pid(), unix.SIGTERM)
		w.expect("called off")
		if err := c.Wait(); err == nil || stderr.Len() == 0 {
			t.Errorf("the start ended with %v, %q", err, stderr)
		}
		w.gone()
	})
	t.Run("reload", func(t *testing.T) {
		w := newWorld(t, "reload-waits")
		log := filepath.Join(t.TempDir(), "log")
		w.env = append(w.env, "DAEMON_LOG="+log)
		pid := w.up()
		w.expect("start")
		w.signal(pid, unix.SIGHUP)
		w.expect("reload")
		w.signal(pid, unix.SIGHUP)
		w.signal(pid, unix.SIGTERM)
		w.expect("stop")
		if status := w.end(pid); status != 0 {
			t.Errorf("it ended with %d", status)
		}
		w.gone()
		// promise R4: nothing goes on as before then
		if text, _ := os.ReadFile(log); !strings.Contains(string(text), "reload called off by the stop") ||
			strings.Contains(string(text), "as before") {
			t.Errorf("the log says:\n%s", text)
		}
	})
	t.Run("stop: the second ends the waiting", func(t *testing.T) {
		w := newWorld(t, "stop-waits")
		pid := w.up()
		w.expect("start")
		w.signal(pid, unix.SIGTERM)
		w.expect("stop")
		w.signal(pid, unix.SIGTERM)
		w.expect("stopped by force")
		if status := w.end(pid); status != 0 {
			t.Errorf("it ended with %d", status)
		}
		w.gone()
	})
	for hook, status := range map[string]int{"start": 1, "reload": 0} {
		t.Run(hook+" that hangs: the second ends the waiting", func(t *testing.T) {
			w := newWorld(t, hook+"-hangs foreground")
			w.env = append(w.env, "DAEMON_GRACE=1h")
			c := w.command()
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			w.expect("start")
			if hook == "reload" {
				w.signal(c.Process.Pid, unix.SIGHUP)
				w.expect("reload")
			}
			ended := make(chan struct{})
			go func() { c.Wait(); close(ended) }()
			for tries := 0; ; tries++ { // two that come together are one
				c.Process.Signal(unix.SIGTERM)
				select {
				case <-ended:
				case <-time.After(50 * time.Millisecond):
					if tries < 1200 {
						continue
					}
					c.Process.Kill()
					<-ended
				}
				break
			}
			if got := c.ProcessState.ExitCode(); got != status {
				t.Errorf("it ended with %d", got)
			}
			w.gone()
		})
	}
}

// promise T1: bounded, and the pidfile goes even so
func TestStopIsBounded(t *testing.T) {
	w := newWorld(t, "stop-hangs")
	w.env = append(w.env, "DAEMON_GRACE=100ms")
	pid := w.up()
	w.signal(pid, unix.SIGTERM)
	if status := w.end(pid); status != 1 {
		t.Errorf("it ended with %d", status)
	}
	w.gone()
}

// promise R1, R2
func TestReloads(t *testing.T) {
	w := newWorld(t, "reload-fails")
	pid := w.up()
	w.expect("start")
	for range 3 {
		w.signal(pid, unix.SIGHUP)
		w.expect("reload")
	}
	for range 1000 {
		w.signal(pid, unix.SIGHUP)
	}
	w.signal(pid, unix.SIGTERM)
	for {
		line, err := w.events.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "stop\n" {
			break
		}
	}
	if status := w.end(pid); status != 0 {
		t.Errorf("it ended with %d", status)
	}
}

// promise P5, R2: from the instant that the pidfile names it, a HUP or a TERM is not deadly and not lost
func TestSignalAtOnce(t *testing.T) {
	for range 20 {
		w := newWorld(t, "")
		pid := w.up()
		w.signal(pid, unix.SIGHUP)
		w.signal(pid, unix.SIGTERM)
		if status := w.end(pid); status != 0 {
			t.Fatalf("it ended with %d", status)
		}
		w.gone()
	}
}

// promise A2: what fail was told is why, though it is of a context that has ended elsewhere, as a timeout is; an end of
// Run's own context was asked for, whatever its cause
func TestFailWithAContextsError(t *testing.T) {
	for _, why := range []error{
		fmt.Errorf("database: %w", context.DeadlineExceeded), context.DeadlineExceeded, context.Canceled,
	} {
		d := daemon.Daemon{Log: slog.New(slog.DiscardHandler)}
		d.Start = func(_ context.Context, fail context.CancelCauseFunc) error { go fail(why); return nil }
		if err := d.Run(t.Context()); !errors.Is(err, why) || err.Error() != why.Error() {
			t.Errorf("told %v, Run returns %v", why, err)
		}
	}
	ctx, end := context.WithCancelCause(t.Context())
	d := daemon.Daemon{Log: slog.New(slog.DiscardHandler), Ready: func() { end(errors.New("enough")) }}
	if err := d.Run(ctx); err != nil {
		t.Errorf("its context has ended, and Run returns %v", err)
	}
}

func TestFail(t *testing.T) {
	for does, want := range map[string]struct {
		status int
		text   string
	}{"fails-later": {1, "testd: it fell over\n"}, "ends-later": {0, ""}} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t, does+" foreground")
			status, stderr := w.start()
			if status != want.status || stderr != want.text {
				t.Errorf("status %d, %q", status, stderr)
			}
			w.expect("start")
			w.expect("stop")
			w.gone()
		})
	}
}
