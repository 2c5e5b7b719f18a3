//go:build linux

package daemon_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
	"github.com/keepalivedd/keepalivedd/daemon"
)

// verb has the test's daemon asked by a process of its own.
func (w *world) verb(verb string) (status int, stdout, stderr string) {
	w.t.Helper()
	c := w.command()
	c.Args = append(c.Args, verb)
	var out, err strings.Builder
	c.Stdout, c.Stderr = &out, &err
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String(), err.String()
}

// promise Q1, I1, A1: an author's daemon is asked as ours is, with LSB's statuses
func TestVerbs(t *testing.T) {
	w := newWorld(t, "verbs")
	expect := func(verb string, status int, stdout, stderr string) {
		t.Helper()
		got, out, err := w.verb(verb)
		if got != status || out != stdout || err != stderr {
			t.Errorf("%s: status %d, %q, %q; want %d, %q, %q", verb, got, out, err, status, stdout, stderr)
		}
	}
	expect("status", 3, "testd is not running\n", "")
	expect("stop", 0, "testd is not running\n", "")
	expect("reload", 7, "", "testd: not running\n")
	expect("jump", 2, "", "testd: \"jump\" is none of status, reload, upgrade and stop\n")
	expect("upgrade", 7, "", "testd: not running\n")
	pid := w.up()
	w.expect("start")
	expect("status", 0, fmt.Sprintf("testd is running, pid %d: well\n", pid), "")
	expect("reload", 0, "+web\n", "")
	w.expect("reload")
	expect("upgrade", 1, "", "testd: not upgraded, all goes on as before: "+
		"the daemon that runs does not know of upgrades in place: restart it\n")
	unix.Kill(pid, unix.SIGKILL)
	w.end(pid)
	expect("status", 1, "testd is dead, and has left its pidfile "+w.pidfile+"\n", "")
	expect("stop", 0, "testd is not running\n", "")
	w.gone()
	if _, err := os.Lstat(control.Path(w.pidfile)); err == nil {
		t.Error("the socket of the dead is left")
	}

	w = newWorld(t, "verbs reload-fails")
	pid = w.up()
	expect("reload", 6, "", "testd: no\n")
	ended := make(chan int)
	go func() { ended <- w.end(pid) }()
	expect("stop", 0, "", "")
	if status := <-ended; status != 0 {
		t.Errorf("it ended with %d", status)
	}
	w.gone()
}

// promise Q2: a daemon that has given up its privileges has no power over the terminal of who asks it
func TestStatusThatShouts(t *testing.T) {
	w := newWorld(t, "verbs shouts")
	pid := w.up()
	want := fmt.Sprintf("testd is running, pid %d: ?[31mred otherd is running\n", pid)
	if status, stdout, stderr := w.verb("status"); status != 0 || stdout != want || stderr != "" {
		t.Errorf("status %d, %q, %q; want %q", status, stdout, stderr, want)
	}
}

// promises Q1, Q2, T1: a Status that hangs holds up no other answer, no reload and no stop; nor does About hold up a
// stop
func TestStatusThatHangs(t *testing.T) {
	w := newWorld(t, "status-hangs")
	notify := filepath.Join(filepath.Dir(w.pidfile), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	w.env = append(w.env, "NOTIFY_SOCKET="+notify)
	pid := w.up()
	var asking sync.WaitGroup
	for range 100 {
		asking.Go(func() {
			daemon.Query(w.pidfile, time.Minute)
		})
	}
	asking.Wait()
	if c, err := daemon.Query(w.pidfile, time.Minute); err != nil || c.State != daemon.Running || c.Unasked != nil ||
		c.Says != "it has not said how it is" {
		t.Errorf("%+v, %v", c, err)
	}
	if err := daemon.Reload(w.pidfile, time.Minute); err != nil {
		t.Error(err)
	}
	w.signal(pid, unix.SIGTERM)
	if status := w.end(pid); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	w = newWorld(t, "about-hangs")
	w.env = append(w.env, "DAEMON_GRACE=1ms")
	pid = w.up()
	w.expect("start")
	w.expect("about")
	w.signal(pid, unix.SIGTERM)
	if status := w.end(pid); status != 1 {
		t.Errorf("it ended with %d", status)
	}
	w.gone()
}

// promise Q3: without its socket it is known to run, and is stopped all the same; that it could not be asked is said
func TestStopOfOneThatCannotBeAsked(t *testing.T) {
	w := newWorld(t, "")
	if err := os.Mkdir(control.Path(w.pidfile), 0o700); err != nil {
		t.Fatal(err)
	}
	pid := w.up()
	c, err := daemon.Query(w.pidfile, 0)
	if err != nil || c.State != daemon.Running || c.PID != pid || c.Unasked == nil || daemon.LSB(c, err) != 4 {
		t.Errorf("%+v, %v", c, err)
	}
	ended := make(chan int)
	go func() { ended <- w.end(pid) }()
	if ran, err := daemon.Stop(w.pidfile, daemon.StopOptions{Budget: time.Minute}); !ran || err != nil {
		t.Errorf("%v, %v", ran, err)
	}
	<-ended
	w.gone()
}

// promise T5: one that does not end in the time that it allows itself is killed, and that is said
func TestStopHasToKill(t *testing.T) {
	w := newWorld(t, "stop-freezes")
	w.env = append(w.env, "DAEMON_GRACE=100ms")
	pid := w.up()
	ended := make(chan int)
	go func() { ended <- w.end(pid) }()
	told := false
	ran, err := daemon.Stop(w.pidfile, daemon.StopOptions{Killing: func(error) { told = true }})
	var killed *daemon.KilledError
	if !ran || !errors.As(err, &killed) || killed.PID != pid || killed.Err != nil || !told {
		t.Errorf("%v, %v, %v", ran, err, told)
	}
	if status := <-ended; status != 128+int(unix.SIGKILL) {
		t.Errorf("it ended with %d", status)
	}
	w.gone()
}

// promise T5: one that cannot be asked what it allows itself is not killed on a guess, and how to end it is said
func TestStopKillsNobodyOnAGuess(t *testing.T) {
	w := newWorld(t, "stop-freezes")
	if err := os.Mkdir(control.Path(w.pidfile), 0o700); err != nil {
		t.Fatal(err)
	}
	pid := w.up()
	ran, err := daemon.Stop(w.pidfile, daemon.StopOptions{Budget: time.Millisecond})
	if want := fmt.Sprintf("if it hangs: kill -KILL %d", pid); !ran || err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, %v", ran, err)
	}
	w.signal(pid, unix.SIGKILL)
	if status := w.end(pid); status != 128+int(unix.SIGKILL) {
		t.Errorf("it ended with %d", status)
	}
}

// promise P2: what cannot be looked at is an error, and unknown
func TestQueryOfWhatIsNoPidfile(t *testing.T) {
	w := newWorld(t, "")
	if err := os.Symlink("/etc/passwd", w.pidfile); err != nil {
		t.Fatal(err)
	}
	c, err := daemon.Query(w.pidfile, 0)
	if err == nil || daemon.LSB(c, err) != 4 {
		t.Errorf("%v, %v", c, err)
	}
}
