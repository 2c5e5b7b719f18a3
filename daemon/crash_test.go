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
