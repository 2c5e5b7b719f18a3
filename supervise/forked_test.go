package supervise

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// promise C3: a child has no signal blocked, as all are here while it is forked, and none ignored, as one is here. It
// is no shell, which would see to that itself.
func TestForkPassesOnNoSignals(t *testing.T) {
	signal.Ignore(unix.SIGUSR2)
	defer func() { // signal.Reset would not
		caught := make(chan os.Signal, 1)
		signal.Notify(caught, unix.SIGUSR2)
		signal.Stop(caught)
	}()
	said := saidByChild(t, (&fork{}).forkExec, nil, "/bin/cat", "/proc/self/status")
	for _, want := range []string{"\nSigBlk:\t0000000000000000\n", "\nSigIgn:\t0000000000000000\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in %q", want, said)
		}
	}
}

// promise C3: the files of a child may have each other's numbers here, and their own.
func TestForkSwapsDescriptors(t *testing.T) {
	var fds []int
	for _, path := range []string{"/dev/null", "/dev/zero", "/dev/full"} {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		fds = append(fds, fd)
	}
	slices.Sort(fds)
	files := slices.Repeat([]uintptr{noFile}, fds[2]+1)
	files[fds[0]], files[fds[1]], files[fds[2]] = uintptr(fds[1]), uintptr(fds[0]), uintptr(fds[2])
	script := fmt.Sprintf("readlink /proc/self/fd/%d /proc/self/fd/%d /proc/self/fd/%d", fds[0], fds[1], fds[2])
	want := saidByChild(t, syscall.ForkExec, files, "/bin/sh", "-c", script)
	for _, few := range []bool{false, true} {
		got := saidByChild(t, (&fork{few: few}).forkExec, files, "/bin/sh", "-c", script)
		if got != want || strings.Count(got, "/dev/") != len(fds) {
			t.Errorf("few %v: %q, want %q", few, got, want)
		}
	}
}

// saidByChild returns what a child with these files says, on a pipe in the place of the second.
func saidByChild(t *testing.T, fork func(string, []string, *syscall.ProcAttr) (int, error), files []uintptr,
	argv ...string) (said string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	files = append(slices.Clone(files), slices.Repeat([]uintptr{noFile}, max(0, 2-len(files)))...)
	files[1] = w.Fd()
	onThread(func() {
		var pid int
		pid, err = fork(argv[0], argv, &syscall.ProcAttr{Files: files})
		w.Close()
		if err == nil {
			text, _ := io.ReadAll(r)
			said = string(text)
			syscall.Wait4(pid, nil, 0, nil)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return said
}
