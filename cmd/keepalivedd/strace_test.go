package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// needStrace skips where processes cannot be traced.
func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("no strace")
	}
	if out, err := exec.Command("strace", "-D", "-qq", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("strace does not work here: %v: %s", err, out)
	}
}

// Who is traced: the process that was called, or the copy of it in the background.
type who string

const (
	launcher   who = "launcher"
	background who = "copy"
)

// fault makes strace inject something: -e inject=SYSCALL:WHAT, for calls that touch path only unless it is empty.
type fault struct {
	who     who
	syscall string
	what    string
	path    string
}

func (f fault) String() string { return fmt.Sprintf("%s:%s:%s", f.who, f.syscall, f.what) }

func (f fault) strace() []string {
	// -D: the program stays the child of whoever calls it, and has its descriptors and its PID.
	args := []string{"strace", "-D", "-f", "-qq", "-o", os.DevNull, "-e", "signal=none", "-e", "trace=" + f.syscall, "-e",
		"inject=" + f.syscall + ":" + f.what}
	if f.who == launcher {
		args = append(args, "-b", "execve")
	}
	if f.path != "" {
		args = append(args, "-P", f.path)
	}
	return args
}

// runWith is run with a fault.
func (w *world) runWith(f fault, args ...string) (status int, stderr string) {
	w.t.Helper()
	c := w.command(args...)
	if f.who == background {
		return w.finishSwapped(c, f)
	}
	path, err := exec.LookPath("strace")
	if err != nil {
		w.t.Fatal(err)
	}
	c.Args = append(append(f.strace(), w.binary), c.Args[1:]...)
	c.Path = path
	return w.finish(c)
}

// finishSwapped runs a command whose copy in the background, and nobody else, is traced. The launcher starts it by the
// path of its own executable: what is at that path is swapped before its first instruction, as by an upgrade.
func (w *world) finishSwapped(c *exec.Cmd, f fault) (status int, stderr string) {
	w.t.Helper()
	dir, err := os.MkdirTemp(w.dir, "swap")
	if err != nil {
		w.t.Fatal(err)
	}
	path, wrapper := filepath.Join(dir, name), filepath.Join(dir, "wrapper")
	if os.Link(w.binary, path) != nil { // on another disk
		err = writeExecutable(path, must(os.ReadFile(w.binary)))
	}
	script := "#!/bin/sh\nexec " + strings.Join(f.strace(), " ") + " " + w.binary + " \"$@\"\n"
	if err = errors.Join(err, writeExecutable(wrapper, []byte(script))); err != nil {
		w.t.Fatal(err)
	}
	c.Path = path
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	var out strings.Builder
	c.Stderr = &out
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(c.Process.Pid, &ws, 0, nil); err != nil || !ws.Stopped() {
		w.t.Fatalf("the traced start: %v, %#x", err, ws)
	}
	err = os.Rename(wrapper, path)
	if e := unix.PtraceDetach(c.Process.Pid); err != nil || e != nil {
		w.t.Fatal(err, e)
	}
	c.Wait()
	if ws := c.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal()), out.String()
	}
	return c.ProcessState.ExitCode(), out.String()
}

// writeExecutable lets no other test fork meanwhile: a child that has the file open for writing makes it one that
// cannot be executed (golang/go#22315).
func writeExecutable(path string, b []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, b, 0o755)
}
