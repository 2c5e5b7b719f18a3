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
)

// promise I2, issue 7.B5: PID 1 reaps the orphans, and nothing else, also when a child of its own has died before them
// or at the same time.
func TestOrphansOfPID1(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes a PID namespace")
	}
	w := newWorld(t, "has-orphans")
	c := w.command()
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
	if err := c.Start(); err != nil {
		t.Skipf("no PID namespace: %v", err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	w.expect("start")
	w.expect("buried")
	w.signal(c.Process.Pid, unix.SIGTERM)
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	w.expect("stop")
}

// bury is what the daemon of TestOrphansOfPID1 does.
func bury() string {
	err := errors.Join(
		unix.Mount("", "/proc", "", unix.MS_REC|unix.MS_PRIVATE, ""), // what is mounted on it is for us alone
		unix.Mount("proc", "/proc", "proc", 0, ""),
	)
	for round := 0; round < 20 && err == nil; round++ {
		err = dieTogether(round%2 == 0)
	}
	if err != nil {
		return strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return "buried"
}

// dieTogether has a child and two orphans that live until a pipe is closed. The child is first in line; it may be left
// unwaited for until the others have gone.
func dieTogether(late bool) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	child := exec.Command("cat")
	child.Stdin = r
	if err := child.Start(); err != nil {
		return err
	}
	sh := exec.Command("sh", "-c", "cat <&3 >/dev/null 2>&1 & echo $!; cat <&3 >/dev/null 2>&1 & echo $!")
	sh.ExtraFiles = []*os.File{r}
	said, err := sh.Output()
	if err != nil {
		return err
	}
	var orphans [2]int
	if _, err := fmt.Sscan(string(said), &orphans[0], &orphans[1]); err != nil {
		return err
	}
	w.Close()
	if !late {
		err = child.Wait()
	}
	for _, pid := range orphans {
		// Nothing tells of the end of a zombie: a pidfd would make it ours.
		for began := time.Now(); unix.Kill(pid, 0) == nil; time.Sleep(time.Millisecond) {
			if time.Since(began) > time.Minute {
				return fmt.Errorf("orphan %d is not reaped (late %v)", pid, late)
			}
		}
	}
	if late {
		err = child.Wait()
	}
	return err
}
