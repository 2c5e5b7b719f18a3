//go:build linux

package pidfile_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

func TestFind(t *testing.T) {
	p := path(t)
	if _, err := pidfile.Find(p); !errors.Is(err, pidfile.ErrNotRunning) {
		t.Errorf("with no owner: %v", err)
	}
	owner := start(t, p)
	owner.must("lock")
	if _, err := pidfile.Find(p); !errors.Is(err, pidfile.ErrHeld) {
		t.Errorf("while it starts: %v", err)
	}
	owner.must("write")
	found, err := pidfile.Find(p)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	if found.PID != owner.pid() {
		t.Errorf("it found %d, want %d", found.PID, owner.pid())
	}
	if err := found.Signal(unix.SIGKILL); err != nil {
		t.Error(err)
	}
	if !found.Wait(time.Minute) {
		t.Error("it has not ended")
	}
	owner.kill()
	if err := found.Signal(0); !errors.Is(err, pidfile.ErrNotRunning) {
		t.Errorf("after its end: %v", err)
	}
}

// bystander is the PID of a process that has nothing to do with a pidfile.
func bystander(t *testing.T) int {
	t.Helper()
	c := exec.Command("sleep", "1000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	return c.Process.Pid
}

// The number of somebody else in the file is nobody's to signal.
func TestFindAStranger(t *testing.T) {
	p := path(t)
	put(t, p, fmt.Sprintln(bystander(t)))
	if _, err := pidfile.Find(p); !errors.Is(err, pidfile.ErrNotRunning) {
		t.Error(err)
	}
}

// A lock says that somebody owns the file, and not that it is who the file names.
func TestFindAnOwnerThatIsNotProven(t *testing.T) {
	p := path(t)
	put(t, p, fmt.Sprintln(bystander(t)))
	f, err := os.OpenFile(p, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lock(t, f)
	found, err := pidfile.Find(p)
	if err == nil {
		found.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "cannot be proven to be its owner") {
		t.Errorf("it found %+v, %v", found, err)
	}
}

// An owner that is being killed has lost its executable before it lets go of the lock: it is found, or it is not
// running.
func TestFindADyingOwner(t *testing.T) {
	for range 100 {
		p := path(t)
		owner := start(t, p)
		owner.must("acquire")
		if err := unix.Kill(owner.pid(), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for {
			found, err := pidfile.Find(p)
			if errors.Is(err, pidfile.ErrNotRunning) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			found.Close()
		}
		owner.kill()
		os.Remove(p)
	}
}

// promise P3: who was killed does not run any more, though it may take a moment until its lock has gone: an init script
// that is told otherwise does not start it
func TestLookAtADyingOwner(t *testing.T) {
	for range 20 {
		path := path(t)
		p := start(t, path)
		p.must("acquire")
		unix.Kill(p.pid(), unix.SIGKILL)
		st, err := pidfile.Look(path)
		if err != nil || st.State != pidfile.Stale {
			t.Fatalf("%+v, %v", st, err)
		}
		p.cmd.Wait()
	}
}

// issue 7.C: an error names the signal that was to be sent, also where nothing is sent yet.
func TestSignalThatIsNotPermitted(t *testing.T) {
	p := filepath.Join(sharedDir(t, 0o755), "x")
	owner := start(t, p)
	owner.must("acquire")
	them := start(t, p, asUser(t, nobody))
	for word, name := range map[string]string{"may reload": "HUP", "stop": "TERM"} {
		want := fmt.Sprintf("error: pid %d: send %s: operation not permitted", owner.pid(), name)
		if got := them.do(word); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}
