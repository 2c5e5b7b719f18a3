//go:build linux

package daemontest

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

// asProgram is the environment variable that makes the test's binary the program.
const asProgram = "DAEMONTEST_PROGRAM"

// Main is all that TestMain does: it runs the tests, or program, which is the daemon's main, in a process that
// [Command] has made. It does not return.
//
//	func TestMain(m *testing.M) { daemontest.Main(m, main) }
//
// What has gone into the background becomes a child of the tests' process, so that its end can be waited for.
func Main(m *testing.M, program func()) {
	if os.Getenv(asProgram) != "" {
		program()
		os.Exit(0)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// Command is the program as a process that has not been started, with these arguments.
func Command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, args...)
	c.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0")
	return c
}

// Do runs the program to its end, a start in the background or a verb, and returns its status and what it has said.
func Do(t testing.TB, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	c := Command(t, args...)
	var out, err strings.Builder
	c.Stdout, c.Stderr = &out, &err
	var exit *exec.ExitError
	if e := c.Run(); e != nil && !errors.As(e, &exit) {
		t.Fatal(e)
	}
	return c.ProcessState.ExitCode(), out.String(), err.String()
}

// A Process is a daemon in the background.
type Process struct {
	PID int

	t     testing.TB
	ended bool
}

// Start runs the program, whose arguments put it into the background, and returns the daemon that holds the pidfile
// path. A start that fails fails the test, and so does one that has anything to say, unless that may be of the pidfile
// that one before has left. What runs at the end of the test is killed.
func Start(t testing.TB, path string, args ...string) *Process {
	t.Helper()
	before, _ := pidfile.Look(path)
	status, stdout, stderr := Do(t, args...)
	if status != 0 || stdout != "" || stderr != "" && before.State != pidfile.Stale {
		t.Fatalf("the start: status %d, %q, %q", status, stdout, stderr)
	}
	st, err := pidfile.Look(path)
	if err != nil || st.State != pidfile.Held {
		t.Fatalf("after the start nobody holds %s: %v", path, err)
	}
	p := &Process{PID: st.PID, t: t}
	t.Cleanup(func() {
		if !p.ended {
			unix.Kill(p.PID, unix.SIGKILL)
			p.Wait()
		}
	})
	return p
}

// Signal sends sig.
func (p *Process) Signal(sig syscall.Signal) {
	p.t.Helper()
	if err := unix.Kill(p.PID, sig); err != nil {
		p.t.Fatalf("pid %d: %v", p.PID, err)
	}
}

// Wait waits for the end of the daemon, once, and returns its status, or 128 and the number of the signal that has
// ended it.
func (p *Process) Wait() (status int) {
	p.t.Helper()
	p.ended = true
	for {
		var ws unix.WaitStatus
		switch _, err := unix.Wait4(p.PID, &ws, 0, nil); {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			p.t.Fatalf("pid %d: wait: %v", p.PID, err)
		case ws.Signaled():
			return 128 + int(ws.Signal())
		}
		return ws.ExitStatus()
	}
}
