//go:build linux

package pidfile_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
	"github.com/keepalivedd/keepalivedd/wait"
)

// promises A1, P4, P5: a watch out of turn is refused: one before Write would write no PID, a second one would put back
// what Release has removed; and one without a log does not crash at the first thing that it would say
func TestWatchOutOfTurn(t *testing.T) {
	p := path(t)
	f, err := pidfile.Lock(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Watch(nil); err == nil || !strings.Contains(err.Error(), "Write") {
		t.Errorf("before Write: %v", err)
	}
	if err := errors.Join(f.Write(), f.Watch(nil)); err != nil {
		t.Fatal(err)
	}
	content, _ := os.ReadFile(p)
	untilRestored(t, p, string(content), func() { os.Remove(p) })
	if err := f.Watch(nil); err == nil {
		t.Error("it is watched twice")
	}
	if err := f.Release(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Release: %v", err)
	}
}

// promise A1: what has been closed, or was never had, closes nothing of anybody else's
func TestClosedTwice(t *testing.T) {
	p := path(t)
	f, err := pidfile.Acquire(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	found, err := pidfile.Find(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := found.Close(); err != nil {
		t.Error(err)
	}
	r, w, err := os.Pipe() // one of them has the number that was the process's
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := found.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
	if err := found.Signal(unix.SIGKILL); !errors.Is(err, os.ErrClosed) || found.Wait(time.Hour) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := w.WriteString("x"); err != nil {
		t.Error(err)
	}
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	input, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(input)
	defer unix.Dup3(input, 0, 0)
	unix.Dup3(null, 0, 0)
	unix.Close(null)
	if err := new(pidfile.Process).Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("nobody: %v", err)
	}
	if err := new(pidfile.File).Release(); err != nil {
		t.Errorf("no file: %v", err)
	}
	if _, err := unix.FcntlInt(0, unix.F_GETFD, 0); err != nil {
		t.Errorf("standard input: %v", err)
	}
	if wait.End(-1, time.Hour) {
		t.Error("nobody has ended")
	}
}
