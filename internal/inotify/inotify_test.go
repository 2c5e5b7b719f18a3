//go:build linux

package inotify

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// issue 12.2: the kernel does close what is left to it: the other end of a pipe tells so.
func TestCloseIsDone(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	r := os.NewFile(uintptr(pipe[0]), "pipe")
	defer r.Close()
	discard(os.NewFile(uintptr(pipe[1]), "pipe"))
	r.SetReadDeadline(time.Now().Add(time.Minute))
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || os.IsTimeout(err) {
		t.Errorf("%d, %v", n, err)
	}
}

// issue 12.2: instances do not pile up, of which a user has few: however many are closed one after the other, there is
// one for who comes next.
func TestFewArePending(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
		if err != nil {
			t.Fatal(i, err)
		}
		wd, err := unix.InotifyAddWatch(fd, file, unix.IN_ATTRIB)
		if err != nil {
			t.Fatal(err)
		}
		unix.InotifyRmWatch(fd, uint32(wd))
		discard(os.NewFile(uintptr(fd), "inotify"))
	}
}
