//go:build linux

package daemon_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/daemon"
)

// asNobody is what ids says of a process that is nobody, all of it.
const asNobody = "65534 [65534,65534,65534,65534 65534,65534,65534,65534 65534 0000000000000000]"

// userWorld is a world in which nobody may look and tell, for a daemon that becomes nobody.
func userWorld(t *testing.T, does string) *world {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it becomes somebody else")
	}
	w, _ := withLog(t, "is-nobody "+does)
	dir := filepath.Dir(w.pidfile)
	for _, path := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "events"), 0o666); err != nil {
		t.Fatal(err)
	}
	w.env = append(w.env, "DAEMON_USER=65534:65534")
	return w
}

// promise A1, P3, P4, T1: with a directory of its own, which is made, a daemon that is nobody has all that others have
func TestUser(t *testing.T) {
	w := userWorld(t, "")
	w.pidfile = filepath.Join(filepath.Dir(w.pidfile), "own", "testd.pid")
	w.env = append(w.env, "DAEMON_PIDFILE="+w.pidfile)
	pid := w.up()
	root, err := w.events.ReadString('\n')
	if err != nil || !strings.HasPrefix(root, "privileged 0 [0,0,0,0 ") {
		t.Errorf("%q, %v", root, err)
	}
	w.expect("start")
	w.signal(pid, unix.SIGUSR1)
	w.expect("dump " + asNobody)
	if err := daemon.Reload(w.pidfile, 0); err != nil {
		t.Error(err)
	}
	w.expect("reload")
	os.Remove(w.pidfile)
	for { // until it is put back
		if _, err := os.Lstat(w.pidfile); err == nil {
			break
		}
	}
	if status, stderr := w.start(); status != 100 {
		t.Errorf("a second start: %d, %s", status, stderr)
	}
	w.signal(pid, unix.SIGTERM)
	w.expect("stop")
	if status := w.end(pid); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	left, _ := os.ReadDir(filepath.Dir(w.pidfile))
	if len(left) != 0 {
		t.Errorf("it has left %v", left)
	}
	pid = w.up()
	w.signal(pid, unix.SIGTERM)
	w.end(pid)
}

// promise A1, R3: a log in a directory of the user's is opened anew, rotated or not
func TestUserReopensItsLog(t *testing.T) {
	w := userWorld(t, "main")
	own := filepath.Join(filepath.Dir(w.pidfile), "log")
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(own, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(own, "log")
	w.pidfile = filepath.Join(filepath.Dir(w.pidfile), "own", "testd.pid")
	w.env = append(w.env, "DAEMON_PIDFILE="+w.pidfile, "DAEMON_LOG="+log)
	pid := w.up()
	if err := daemon.Reload(w.pidfile, 0); err != nil {
		t.Errorf("before a rotation: %v", err)
	}
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	if err := daemon.Reload(w.pidfile, 0); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	w.signal(pid, unix.SIGTERM)
	w.end(pid)
	if b, _ := os.ReadFile(log); !strings.Contains(string(b), "stopped") {
		t.Errorf("the new log says:\n%s", b)
	}
}

// promise A1, P1: in a directory that is not the user's the end is a good one too, and what is left stops nobody
func TestUserInADirectoryOfRoot(t *testing.T) {
	for _, does := range []string{"", "foreground"} {
		w := userWorld(t, does)
		var pid int
		if does == "" {
			pid = w.up()
		} else {
			c := w.command()
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			pid = c.Process.Pid
		}
		if line, err := w.events.ReadString('\n'); err != nil || !strings.HasPrefix(line, "privileged 0 [0,") {
			t.Errorf("%q, %v", line, err)
		}
		w.expect("start")
		w.signal(pid, unix.SIGTERM)
		w.expect("stop")
		if status := w.end(pid); status != 0 {
			t.Errorf("it ended with %d", status)
		}
		for _, path := range []string{w.pidfile, daemon.CrashFile(w.pidfile)} {
			if b, err := os.ReadFile(path); err != nil || len(b) != 0 {
				t.Errorf("%s: %q, %v", path, b, err)
			}
		}
		if _, err := os.Lstat(control.Path(w.pidfile)); err == nil {
			t.Error("a socket is left")
		}
		next, log := withLog(t, "")
		next.pidfile = w.pidfile
		next.env = append(next.env, "DAEMON_PIDFILE="+w.pidfile)
		pid = next.up()
		next.signal(pid, unix.SIGTERM)
		next.end(pid)
		if strings.Contains(log(), "killed, or crashed") {
			t.Errorf("a good end is taken for a crash:\n%s", log())
		}
		next.gone()
	}
}

// promise S2: whom it cannot become it says
func TestUserThatCannotBe(t *testing.T) {
	for who, want := range map[string]string{
		"no-such-user": `testd: user "no-such-user": user: unknown user no-such-user`,
		"4000000":      `testd: user "4000000": user: unknown userid 4000000`,
		"nobody:none!": `testd: user "nobody:none!": group: unknown group`,
	} {
		w := userWorld(t, "")
		w.env = append(w.env, "DAEMON_USER="+who)
		if status, stderr := w.start(); status != 1 || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: status %d, %q", who, status, stderr)
		}
		w.gone()
	}
}
