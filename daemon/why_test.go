//go:build linux

package daemon_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemon"
)

// withLog is a world with a log in a file.
func withLog(t *testing.T, does string) (w *world, log func() string) {
	w = newWorld(t, does)
	path := filepath.Join(t.TempDir(), "log")
	w.env = append(w.env, "DAEMON_LOG="+path)
	return w, func() string {
		b, _ := os.ReadFile(path)
		return string(b)
	}
}

// promise A2, S2: a failed start tells its caller, once, wherever the log goes
func TestFailedStartIsToldWhereverTheLogGoes(t *testing.T) {
	const why = "open /etc/testd: no such thing"
	for _, does := range []string{"start-fails tells-its-log", "start-fails", "start-fails main",
		"start-fails main foreground"} {
		t.Run(does, func(t *testing.T) {
			w, log := withLog(t, does)
			status, stderr := w.start()
			if status != 1 || stderr != "testd: "+why+"\n" {
				t.Errorf("status %d, %q", status, stderr)
			}
			if strings.Contains(does, "s-its-log") || strings.Contains(does, "main") {
				if !strings.Contains(log(), why) {
					t.Errorf("the log says:\n%s", log())
				}
			}
			w.gone()
			if _, err := os.Lstat(daemon.CrashFile(w.pidfile)); err == nil {
				t.Error("a crash file is left, though the caller was told")
			}
		})
	}
}

// promise S2: the log itself cannot be had
func TestLogThatCannotBeOpened(t *testing.T) {
	for _, does := range []string{"main", "main foreground"} {
		w := newWorld(t, does)
		w.env = append(w.env, "DAEMON_LOG=/nowhere/log")
		status, stderr := w.start()
		if status != 1 || !strings.HasPrefix(stderr, "testd: log file /nowhere/log: ") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: status %d, %q", does, status, stderr)
		}
		w.gone()
	}
}

// promise A2: what falls over after it was ready says why in its log, and in the log of the next
func TestEndIsToldByTheNext(t *testing.T) {
	for does, end := range map[string]unix.Signal{
		"falls-over": unix.SIGUSR1, "falls-over main": unix.SIGUSR1, "stop-fails": unix.SIGTERM,
		"stop-fails main": unix.SIGTERM,
	} {
		t.Run(does, func(t *testing.T) {
			w, log := withLog(t, does)
			pid := w.up()
			w.signal(pid, end)
			if status := w.end(pid); status != 1 {
				t.Errorf("it ended with %d", status)
			}
			w.gone()
			want := "it fell over"
			if end == unix.SIGTERM {
				want = "cannot let go"
			}
			if strings.Contains(does, "main") && !strings.Contains(log(), want) {
				t.Errorf("its own log:\n%s", log())
			}
			next, log := withLog(t, "main")
			next.pidfile = w.pidfile
			next.env = append(next.env, "DAEMON_PIDFILE="+w.pidfile)
			pid = next.up()
			next.signal(pid, unix.SIGTERM)
			next.end(pid)
			if !strings.Contains(log(), "the previous daemon ended: ") || !strings.Contains(log(), want) {
				t.Errorf("the log of the next:\n%s", log())
			}
			if _, err := os.Lstat(daemon.CrashFile(w.pidfile)); err == nil {
				t.Error("a crash file is left after a good end")
			}
		})
	}
}

// promise R3: HUP is enough after a rotation, with a Reload or without
func TestMainReopensItsLog(t *testing.T) {
	for _, does := range []string{"main", "main no-hooks"} {
		w := newWorld(t, does)
		path := filepath.Join(t.TempDir(), "log")
		w.env = append(w.env, "DAEMON_LOG="+path)
		pid := w.up()
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		if err := daemon.Reload(w.pidfile, 0); err != nil {
			t.Errorf("%s: %v", does, err)
		}
		w.signal(pid, unix.SIGTERM)
		w.end(pid)
		if b, _ := os.ReadFile(path); !strings.Contains(string(b), "stopped") {
			t.Errorf("%s: the new log says:\n%s", does, b)
		}
	}
}
