//go:build linux

package wait_test

import (
	"errors"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/wait"
)

func TestZombie(t *testing.T) {
	if pid, err := wait.Zombie(unix.P_ALL, 0); pid != 0 || !errors.Is(err, unix.ECHILD) {
		t.Errorf("without a child: %d, %v", pid, err)
	}
	c := exec.Command("/bin/cat")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if pid, err := wait.Zombie(unix.P_ALL, 0); pid != 0 || err != nil {
		t.Errorf("it runs: %d, %v", pid, err)
	}
	fd, err := unix.PidfdOpen(c.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if wait.End(fd, 0) || wait.End(fd, time.Millisecond) {
		t.Error("it runs, and is said to have ended")
	}
	in.Close()
	if !wait.End(fd, time.Minute) {
		t.Error("it has not ended")
	}
	for range 2 { // it is left as it is
		for idType, id := range map[int]int{unix.P_ALL: 0, unix.P_PID: c.Process.Pid} {
			if pid, err := wait.Zombie(idType, id); pid != c.Process.Pid || err != nil {
				t.Errorf("it is a zombie: %d, %v", pid, err)
			}
		}
	}
	if err := c.Wait(); err != nil {
		t.Errorf("its status was taken: %v", err)
	}
}

// What is no descriptor has not ended, and is not waited for either.
func TestEndOfNothing(t *testing.T) {
	if wait.End(1<<30, time.Minute) {
		t.Error("what is not there has ended")
	}
}

func TestAwait(t *testing.T) {
	for script, want := range map[string]bool{"exit 0": true, "exit 3": false, "kill -9 $$": false} {
		c := exec.Command("/bin/sh", "-c", script)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it is left as it is
			if clean, err := wait.Await(c.Process.Pid); clean != want || err != nil {
				t.Errorf("%s: %v, %v", script, clean, err)
			}
		}
		if err := c.Wait(); (err == nil) != want {
			t.Errorf("%s: %v", script, err)
		}
		if clean, err := wait.Await(c.Process.Pid); clean || !errors.Is(err, unix.ECHILD) {
			t.Errorf("%s, reaped: %v, %v", script, clean, err)
		}
	}
}
