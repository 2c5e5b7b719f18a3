//go:build linux

package daemon_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/daemon"
	"github.com/keepalivedd/keepalivedd/pidfile"
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

// promises A1, P3, U1: a daemon that is nobody, and has become another program, is what it was: nobody, with its lock,
// put back, refusing a second start, and asked by root
func TestUserUpgrades(t *testing.T) {
	w := userWorld(t, "")
	dir := filepath.Dir(w.pidfile)
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	exe, file := filepath.Join(dir, "webd"), filepath.Join(dir, "own", "webd.pid")
	if err := os.WriteFile(exe, self, 0o755); err != nil { // that of the tests is in a directory which only root can read
		t.Fatal(err)
	}
	do := func(want int, args ...string) string {
		t.Helper()
		c := exec.Command(exe, args...)
		c.Env = append(os.Environ(), "WEBD="+file, "WEBD_USER=65534:65534", "GORACE=atexit_sleep_ms=0")
		out, _ := c.CombinedOutput()
		if got := c.ProcessState.ExitCode(); got != want {
			t.Fatalf("%v: status %d, want %d: %s", args, got, want, out)
		}
		return string(out)
	}
	do(0)
	st, err := pidfile.Look(file)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Kill(st.PID, unix.SIGKILL)
	for range 2 {
		do(0, "upgrade")
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", st.PID))
		if !strings.Contains(string(b), "\nUid:\t65534\t65534\t65534\t65534\n") {
			t.Errorf("it is somebody else:\n%s", b)
		}
	}
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(file)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) { // until it is put back
		if now, err := os.Stat(file); err == nil && !os.SameFile(before, now) {
			break
		}
	}
	do(100)
	if said := do(0, "status"); said != fmt.Sprintf("webd is running, pid %d\n", st.PID) {
		t.Errorf("status: %q", said)
	}
	unix.Kill(st.PID, unix.SIGQUIT)
	unix.Wait4(st.PID, nil, 0, nil)
	if b, _ := os.ReadFile(daemon.CrashFile(file)); !strings.Contains(string(b), "SIGQUIT") {
		t.Errorf("its last word: %q", b)
	}
	do(0)
	st, _ = pidfile.Look(file)
	ended := make(chan int)
	go func() { ended <- w.end(st.PID) }()
	do(0, "stop")
	if status := <-ended; status != 0 {
		t.Errorf("it ended with %d", status)
	}
	for _, path := range []string{file, daemon.CrashFile(file), control.Path(file)} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("it has left %s", path)
		}
	}
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
		"no-such-user": `testd: there is no user "no-such-user"`,
		"4000000":      `testd: no user has the number 4000000; write "4000000:GROUP" to name the group too`,
		"nobody:none!": `testd: there is no group "none!"`,
	} {
		w := userWorld(t, "")
		w.env = append(w.env, "DAEMON_USER="+who)
		if status, stderr := w.start(); status != 1 || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: status %d, %q", who, status, stderr)
		}
		w.gone()
	}
}

// promise S9: a configuration can be checked for that by anybody
func TestCheckUser(t *testing.T) {
	for _, who := range []string{"", "root", "0", "root:root", "0:0", "4000000:0"} {
		if err := daemon.CheckUser(who); err != nil {
			t.Errorf("%q: %v", who, err)
		}
	}
	for who, want := range map[string]string{
		"no-such-user": `there is no user "no-such-user"`, "4000000": `"4000000:GROUP"`,
		"root:no-such-group": `there is no group "no-such-group"`, ":": "there is no user", "root:": `there is no group ""`,
	} {
		if err := daemon.CheckUser(who); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", who, err, want)
		}
	}
}
