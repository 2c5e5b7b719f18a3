//go:build linux

package daemon_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/pidfile"
)

// promise R1: who asked is told
func TestReloadIsAnswered(t *testing.T) {
	t.Run("done", func(t *testing.T) {
		w := newWorld(t, "")
		w.up()
		w.expect("start")
		for range 3 {
			if err := daemon.Reload(w.pidfile, time.Minute); err != nil {
				t.Error(err)
			}
			w.expect("reload")
		}
	})
	for does, want := range map[string]string{"reload-fails": "no", "no-hooks": "it has nothing to reload"} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t, does)
			w.up()
			err := daemon.Reload(w.pidfile, time.Minute)
			var refused *daemon.RefusedError
			if !errors.As(err, &refused) || refused.Reason != want {
				t.Errorf("got %v, want it refused because of %q", err, want)
			}
		})
	}
	t.Run("not running", func(t *testing.T) {
		w := newWorld(t, "")
		if err := daemon.Reload(w.pidfile, time.Minute); !errors.Is(err, pidfile.ErrNotRunning) {
			t.Error(err)
		}
	})
}

// promise R2: a stop comes before a reload
func TestReloadDuringAStop(t *testing.T) {
	t.Run("the stop comes first", func(t *testing.T) {
		w := newWorld(t, "stop-waits")
		pid := w.up()
		w.expect("start")
		w.signal(pid, unix.SIGTERM)
		w.expect("stop")
		if err := daemon.Reload(w.pidfile, time.Minute); !errors.Is(err, pidfile.ErrNotRunning) {
			t.Error(err)
		}
		w.signal(pid, unix.SIGTERM)
		w.end(pid)
	})
	t.Run("the reload comes first", func(t *testing.T) {
		w := newWorld(t, "reload-waits")
		pid := w.up()
		w.expect("start")
		answer := make(chan error)
		go func() { answer <- daemon.Reload(w.pidfile, time.Minute) }()
		w.expect("reload")
		w.signal(pid, unix.SIGTERM)
		if err := <-answer; !errors.Is(err, pidfile.ErrNotRunning) { // nothing is wrong with what was to be taken on
			t.Error(err)
		}
		w.expect("stop")
		if status := w.end(pid); status != 0 {
			t.Errorf("it ended with %d", status)
		}
	})
}

// promise Q1: the wait is bounded, and what was asked for is done in the end, once
func TestReloadThatIsLate(t *testing.T) {
	w := newWorld(t, "reload-waits")
	pid := w.up()
	w.expect("start")
	var late *daemon.UnaskedError
	if err := daemon.Reload(w.pidfile, 3*time.Second); !errors.As(err, &late) || !late.Late || late.HUP ||
		!strings.Contains(err.Error(), "see its log") {
		t.Error(err)
	}
	w.expect("reload")
	w.signal(pid, unix.SIGTERM)
	w.expect("stop")
	w.end(pid)
}

// promise Q1: one that is stopped itself is not waited for, and is left a HUP; that is said, and how it goes on
func TestReloadOfAStoppedProcess(t *testing.T) {
	w := newWorld(t, "")
	pid := w.up()
	w.expect("start")
	w.signal(pid, unix.SIGSTOP)
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	var unasked *daemon.UnaskedError
	if err := daemon.Reload(w.pidfile, time.Minute); !errors.As(err, &unasked) || unasked.Late || !unasked.HUP ||
		!strings.Contains(err.Error(), fmt.Sprintf("kill -CONT %d", pid)) {
		t.Error(err)
	}
	w.signal(pid, unix.SIGCONT)
	w.expect("reload")
	w.signal(pid, unix.SIGSTOP)
	if ran, err := daemon.Stop(w.pidfile, daemon.StopOptions{}); !ran || err != nil {
		t.Errorf("%v, %v", ran, err)
	}
	w.expect("stop")
	w.end(pid)
}

// Where its socket is out of reach there is still the signal.
func TestReloadAcrossNetworkNamespaces(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes a network namespace")
	}
	w := newWorld(t, "")
	w.up(func(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET} })
	w.expect("start")
	if err := daemon.Reload(w.pidfile, time.Minute); err != nil {
		t.Error(err)
	}
	w.expect("reload")
}
