//go:build linux

package pidfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

func acquire(t *testing.T, path string) *pidfile.File {
	t.Helper()
	f, err := pidfile.Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Release() })
	return f
}

// promise P4, P5
func TestAcquireWritesAndReleaseRemoves(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	p := path(t)
	f := acquire(t, p)
	if got, want := read(t, p), strconv.Itoa(os.Getpid())+"\n"; got != want {
		t.Errorf("the file says %q, want %q", got, want)
	}
	if st, _ := os.Stat(p); st.Mode() != 0o644 {
		t.Errorf("mode %v, want 0644", st.Mode())
	}
	if err := f.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Release: %v", err)
	}
	if err := f.Release(); err != nil {
		t.Errorf("a second Release: %v", err)
	}
}

// promise P5
func TestLockedFileIsEmptyUntilWrite(t *testing.T) {
	p := path(t)
	put(t, p, strconv.Itoa(deadPID(t))+"\n")
	f, err := pidfile.Lock(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	if got := read(t, p); got != "" {
		t.Errorf("locked and not written, the file says %q", got)
	}
	if st, err := pidfile.Look(p); err != nil || st.State != pidfile.Starting {
		t.Errorf("Look: %v, %v, want Starting", st, err)
	}
	var held *pidfile.HeldError
	if _, err := pidfile.Running(p); !errors.As(err, &held) || held.PID != 0 {
		t.Errorf("Running: %v, want a HeldError without a PID", err)
	}
}

// promise S3
func TestSecondOwnerIsRefused(t *testing.T) {
	p := path(t)
	first := start(t, p)
	first.must("acquire")
	_, err := pidfile.Acquire(p)
	var held *pidfile.HeldError
	if !errors.As(err, &held) || held.PID != first.pid() || !errors.Is(err, pidfile.ErrHeld) {
		t.Fatalf("a second Acquire: %v, want held by %d", err, first.pid())
	}
	if want := fmt.Sprintf("already running, pid %d", first.pid()); !strings.Contains(err.Error(), want) {
		t.Errorf("%q does not say %q", err, want)
	}
	if got := read(t, p); got != fmt.Sprintln(first.pid()) {
		t.Errorf("the owner's file was touched: %q", got)
	}
	if pid, err := pidfile.Running(p); pid != first.pid() || err != nil {
		t.Errorf("Running: %d, %v, want %d", pid, err, first.pid())
	}
}

// promise P1: PID reuse, and what is no PID
func TestStaleContentsNeverBlock(t *testing.T) {
	stranger := exec.Command("sleep", "1000")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stranger.Process.Kill(); stranger.Wait() }()
	zombie := exec.Command("true")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	defer zombie.Wait()
	waitZombie(t, zombie.Process.Pid)

	contents := map[string]string{
		"dead": strconv.Itoa(deadPID(t)) + "\n", "empty": "", "newline": "\n", "garbage": "not a pid", "zero": "0\n",
		"minus one": "-1\n", "a group": "-" + strconv.Itoa(unix.Getpgrp()), "overflow": "99999999999999999999\n",
		"int32 overflow": "4294967297\n", "trailing text": strconv.Itoa(os.Getppid()) + " x\n", "two lines": "1\n2\n",
		"NUL": "\x00\x00\x00", "noise": strings.Repeat("7", 1<<20), "own": strconv.Itoa(os.Getpid()) + "\n",
		"stranger": strconv.Itoa(stranger.Process.Pid) + "\n", "init": "1\n", "a kernel thread or nobody": "2\n",
		"zombie": strconv.Itoa(zombie.Process.Pid) + "\n",
	}
	for name, text := range contents {
		t.Run(name, func(t *testing.T) {
			p := path(t)
			put(t, p, text)
			if pid, err := pidfile.Running(p); pid != 0 || err != nil {
				t.Errorf("Running: %d, %v, want not running", pid, err)
			}
			if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Running left the stale file: %v", err)
			}
			put(t, p, text)
			acquire(t, p)
			if got, want := read(t, p), strconv.Itoa(os.Getpid())+"\n"; got != want {
				t.Errorf("the file says %.40q, want %q", got, want)
			}
		})
	}
}

// waitZombie waits for the end of a child without reaping it.
func waitZombie(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
}

// promise P1: another user's process, which kill(2) answers with EPERM
func TestStrangerOfAnotherUser(t *testing.T) {
	p := filepath.Join(sharedDir(t, 0o777), "test.pid")
	asNobody := asUser(t, 65534)
	stranger := exec.Command("sleep", "1000")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stranger.Process.Kill(); stranger.Wait() }()
	us := start(t, p, asNobody)
	put(t, p, strconv.Itoa(stranger.Process.Pid))
	if err := os.Chown(p, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	us.must("acquire")
}

// promise P1: EPERM means alive. The owner here does not lock, is root's, and runs our executable's name.
func TestOwnerWithoutLock(t *testing.T) {
	t.Run("ours and older than the file", func(t *testing.T) {
		p := path(t)
		owner := start(t, p)
		owner.must("write without a lock")
		if pid, err := pidfile.Running(p); pid != owner.pid() || err != nil {
			t.Errorf("Running: %d, %v, want %d", pid, err, owner.pid())
		}
		var held *pidfile.HeldError
		if _, err := pidfile.Acquire(p); !errors.As(err, &held) || held.PID != owner.pid() {
			t.Errorf("Acquire: %v, want held by %d", err, owner.pid())
		}
		owner.kill()
		acquire(t, p)
	})
	t.Run("ours but younger than the file", func(t *testing.T) {
		p := path(t)
		young := start(t, p)
		young.do("look")
		put(t, p, strconv.Itoa(young.pid()))
		before := time.Now().Add(-time.Hour)
		if err := os.Chtimes(p, before, before); err != nil {
			t.Fatal(err)
		}
		acquire(t, p)
	})
	t.Run("of a user we may not look into", func(t *testing.T) {
		p := filepath.Join(sharedDir(t, 0o777), "test.pid")
		asNobody := asUser(t, 65534)
		// Both get the same name, because only that can be compared.
		owner := start(t, p, asNobody, func(c *exec.Cmd) { c.SysProcAttr = nil })
		owner.must("write without a lock")
		us := start(t, p, asNobody)
		if got := us.do("running"); got != strconv.Itoa(owner.pid()) {
			t.Errorf("Running as nobody: %s, want %d", got, owner.pid())
		}
		if got := us.do("look"); got != fmt.Sprint(pidfile.Held, owner.pid()) {
			t.Errorf("Look as nobody: %s, want held by %d", got, owner.pid())
		}
	})
}

// promise S4: check and write are one. Eight at once, many rounds, one winner each.
func TestOneOfManyWins(t *testing.T) {
	p := path(t)
	const starters = 8
	ps := make([]*process, starters)
	for i := range ps {
		ps[i] = start(t, p)
	}
	for round := range 100 {
		for _, s := range ps {
			fmt.Fprintln(s.in, "acquire")
		}
		var winner *process
		for _, s := range ps {
			answer, err := s.out.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case answer == "ok\n" && winner != nil:
				t.Fatalf("round %d: two winners", round)
			case answer == "ok\n":
				winner = s
			case !strings.Contains(answer, "already running") && !strings.Contains(answer, "is starting"):
				t.Fatalf("round %d: %s", round, answer)
			}
		}
		if winner == nil {
			t.Fatalf("round %d: no winner", round)
		}
		if got := read(t, p); got != fmt.Sprintln(winner.pid()) {
			t.Fatalf("round %d: the file says %q, the winner is %d", round, got, winner.pid())
		}
		winner.must("release")
	}
}

// promise P6
func TestKilledOwnerLeavesNothingInTheWay(t *testing.T) {
	p := path(t)
	for range 20 {
		owner := start(t, p)
		fmt.Fprintln(owner.in, "acquire") // killed at whatever point it has got to
		owner.kill()
		f, err := pidfile.Acquire(p)
		if err != nil {
			t.Fatal(err)
		}
		f.Release()
	}
}

// promise P4: a file that is another owner's by now is left alone.
func TestReleaseRemovesOnlyItsOwn(t *testing.T) {
	p := path(t)
	f := acquire(t, p)
	os.Remove(p)
	put(t, p, "another's")
	if err := f.Release(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, p); got != "another's" {
		t.Errorf("the file says %q", got)
	}
}

// promise P4: a file that was moved away is still linked, and the path is another's all the same
func TestReleaseAfterAMove(t *testing.T) {
	p := path(t)
	f := acquire(t, p)
	if err := os.Rename(p, p+".moved"); err != nil {
		t.Fatal(err)
	}
	put(t, p, "another's")
	if err := f.Release(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, p); got != "another's" {
		t.Errorf("the file says %q", got)
	}
}
