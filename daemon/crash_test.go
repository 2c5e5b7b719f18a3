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

// A daemon whose standard error is /dev/null says why it died all the same, and the next one tells its log.
func TestCrashIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		does   string
		signal unix.Signal
		want   string
	}{
		"panic": {"dump-panics", unix.SIGUSR1, "the previous daemon crashed: panic: out of cheese"},
		"quit":  {"", unix.SIGQUIT, "the previous daemon crashed: SIGQUIT: quit"},
		"abort": {"", unix.SIGABRT, "the previous daemon crashed: SIGABRT: abort"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.does)
			log := filepath.Join(t.TempDir(), "log")
			w.env = append(w.env, "DAEMON_LOG="+log)
			pid := w.up()
			w.signal(pid, c.signal)
			if status := w.end(pid); status != 2 {
				t.Errorf("it ended with %d", status)
			}
			pid = w.up()
			w.signal(pid, unix.SIGTERM)
			w.end(pid)
			b, err := os.ReadFile(log)
			if err != nil || !strings.Contains(string(b), c.want) {
				t.Errorf("%v: the log does not say %q:\n%s", err, c.want, b)
			}
			if _, err := os.Lstat(daemon.CrashFile(w.pidfile)); err == nil {
				t.Error("it is left behind after a good end")
			}
		})
	}
}

// promise P2, for this file too: what is in the way is not followed, waited for or removed,
// and keeps nobody from starting
func TestHostileCrashFile(t *testing.T) {
	for name, put := range map[string]func(path, victim string) error{
		"link":      func(path, victim string) error { return os.Symlink(victim, path) },
		"FIFO":      func(path, _ string) error { return unix.Mkfifo(path, 0o600) },
		"directory": func(path, _ string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "")
			log, victim := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "victim")
			w.env = append(w.env, "DAEMON_LOG="+log)
			if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			path := daemon.CrashFile(w.pidfile)
			if err := put(path, victim); err != nil {
				t.Fatal(err)
			}
			before, _ := os.Lstat(path)
			pid := w.up()
			w.signal(pid, unix.SIGTERM)
			w.end(pid)
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Error("it was removed or replaced: ", err)
			}
			if b, _ := os.ReadFile(victim); string(b) != "precious" {
				t.Errorf("the file behind the link says %q", b)
			}
			if b, _ := os.ReadFile(log); !strings.Contains(string(b), "a crash would leave no trace") {
				t.Errorf("no warning:\n%s", b)
			}
		})
	}
}

// A crash file of another user's is not ours to tell of: its owner would write our log.
func TestCrashFileOfAStranger(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes a file of another user")
	}
	w := newWorld(t, "")
	log := filepath.Join(t.TempDir(), "log")
	w.env = append(w.env, "DAEMON_LOG="+log)
	path := daemon.CrashFile(w.pidfile)
	if err := os.WriteFile(path, []byte("panic: forged\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	pid := w.up()
	w.signal(pid, unix.SIGTERM)
	w.end(pid)
	b, _ := os.ReadFile(log)
	if text := string(b); strings.Contains(text, "forged") || !strings.Contains(text, "not a file of ours") {
		t.Errorf("the log:\n%s", text)
	}
}

// promise S2, A2: a crash in a start leaves no pidfile, detached or not; the next one's log tells of it, and that one
// looks for what is left.
func TestCrashInAStart(t *testing.T) {
	for _, does := range []string{"start-panics", "start-panics foreground", "privileged-panics foreground",
		"start-exits-its-goroutine foreground", "start-dies"} {
		t.Run(does, func(t *testing.T) {
			w, log := withLog(t, does)
			status, stderr := w.start()
			if status == 0 || strings.Contains(does, "panics") && !strings.Contains(stderr, "_test.go:") {
				t.Errorf("status %d, %q", status, stderr)
			}
			w.gone()
			if does == "start-exits-its-goroutine foreground" {
				return
			}
			w.env = append(w.env, "DAEMON_TEST=tells-crashed")
			pid := w.up()
			w.signal(pid, unix.SIGUSR1)
			for told := ""; told != "crashed true\n"; {
				if told, _ = w.events.ReadString('\n'); told == "crashed false\n" {
					t.Fatal("the next one does not know that there was a crash")
				}
			}
			w.signal(pid, unix.SIGTERM)
			w.end(pid)
			if !strings.Contains(log(), "the previous daemon crashed: ") {
				t.Errorf("the log:\n%s", log())
			}
			if _, err := os.Lstat(daemon.CrashFile(w.pidfile)); err == nil {
				t.Error("a crash file is left after a good end")
			}
		})
	}
}

// promise A2: a crash of the daemon's own goroutine, as by a Log that panics, is told as any other.
func TestCrashOfTheLoop(t *testing.T) {
	w, log := withLog(t, "log-panics")
	pid := w.up()
	w.signal(pid, unix.SIGTERM) // which is logged
	if status := w.end(pid); status != 2 {
		t.Errorf("it ended with %d", status)
	}
	w.env = append(w.env, "DAEMON_TEST=tells-crashed")
	pid = w.up()
	w.signal(pid, unix.SIGUSR1)
	w.expect("start")
	w.expect("start")
	w.expect("crashed true")
	w.signal(pid, unix.SIGTERM)
	w.end(pid)
	if !strings.Contains(log(), "the previous daemon crashed: panic: out of ink") {
		t.Errorf("the log:\n%s", log())
	}
}
