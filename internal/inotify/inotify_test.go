//go:build linux

package inotify

import (
	"os"
	"path/filepath"
	"strings"
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

// promise P3: what others have left no instance for is watched once there is one, looked after until then, and ended at
// any time.
func TestWatchBeginsLater(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begin := func(short int) (w *Watch, looked chan bool, told chan string) {
		w = New(int(f.Fd()), file, unix.IN_ATTRIB)
		discard(w.instance.Swap(nil))
		w.wds = [2]int{-1, -1}
		real := w.begin
		w.begin = func() (int, error) {
			if short--; short >= 0 {
				return -1, unix.EMFILE
			}
			return real()
		}
		looked, told = make(chan bool), make(chan string, 1)
		w.Start(func() (int, error) {
			select {
			case looked <- w.wds[0] >= 0:
			case <-t.Context().Done():
			}
			return int(f.Fd()), nil
		}, func(what string, err error) { told <- what + ": " + err.Error() })
		return w, looked, told
	}
	drain := func(looked chan bool) {
		for {
			select {
			case <-looked:
			case <-t.Context().Done():
				return
			}
		}
	}
	w, looked, told := begin(6)
	for is := false; !is; is = <-looked {
	}
	if said, want := <-told, "watched: too many open files"; !strings.HasPrefix(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	<-looked
	go drain(looked)
	w.Close()

	w, looked, _ = begin(1 << 30)
	for range 10 {
		<-looked
	}
	go drain(looked)
	w.Look()
	if fd := w.Take(); fd != -1 {
		t.Errorf("descriptor %d of nothing", fd)
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
