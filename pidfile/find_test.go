//go:build linux

package pidfile

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The owner that the file named may have let go while its pidfd was opened: the descriptor then holds somebody who has
// nothing to do with the file any more.
func TestFindLooksAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.pid")
	f, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := find(path, func(pid, flags int) (int, error) {
		if err := f.Release(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getppid())+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return unix.PidfdOpen(pid, flags)
	})
	if !errors.Is(err, errMoved) {
		t.Errorf("it found %+v, %v", p, err)
	}
}

// issue 11: an owner that is out of sight is no file that changes all the time
func TestFindOfAnOwnerInAnotherNamespace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.pid")
	f, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	p, err := find(path, func(int, int) (int, error) { return -1, unix.ESRCH })
	if err == nil || errors.Is(err, errMoved) || !strings.Contains(err.Error(), "cannot be seen from here") {
		t.Errorf("it found %+v, %v", p, err)
	}
}

// Where the kernel has no pidfd, who would stop the owner is told what it takes.
func TestFindOnAnOldKernel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.pid")
	f, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	p, err := find(path, func(int, int) (int, error) { return -1, unix.ENOSYS })
	if err == nil || !errors.Is(err, unix.ENOSYS) || !strings.Contains(err.Error(), "takes Linux 5.3 or later") {
		t.Errorf("it found %+v, %v", p, err)
	}
}

// promise P3: the file that is put back is locked like the one that it stands for
func TestFileThatWasPutBackIsLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.pid")
	f, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	if err := f.Watch(slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	for ; errors.Is(err, unix.ENOENT); fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) {
		runtime.Gosched()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if !writeLocked(fd) {
		t.Error("it is not locked")
	}
}
