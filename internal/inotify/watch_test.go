//go:build linux

package inotify

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// watched is a Watch of a file in a directory of its own. Each look is told, and answered by what it is to return.
type watched struct {
	*Watch
	t         *testing.T
	file      *os.File
	directory string
	looks     chan chan error
	cannot    chan string
}

func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{t: t, directory: filepath.Join(t.TempDir(), "d"), looks: make(chan chan error),
		cannot: make(chan string, 16)}
	if err := os.Mkdir(w.directory, 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(w.directory, "file"))
	if err != nil {
		t.Fatal(err)
	}
	w.file = file
	w.Watch = New(int(file.Fd()), file.Name(), unix.IN_ATTRIB)
	w.Start(func() (int, error) {
		answer := make(chan error)
		w.looks <- answer
		return int(file.Fd()), <-answer
	}, func(what string, err error) { w.cannot <- what + ": " + err.Error() })
	w.look(nil)
	t.Cleanup(func() {
		go func() {
			for answer := range w.looks {
				answer <- nil
			}
		}()
		w.Close()
		close(w.looks)
		file.Close()
	})
	return w
}

// look waits for the next look, and answers it.
func (w *watched) look(err error) {
	w.t.Helper()
	select {
	case answer := <-w.looks:
		answer <- err
	case <-time.After(time.Minute):
		w.t.Fatal("nobody looks")
	}
}

// promise P3: somebody looks when the inode was touched, its directory has moved away with it, or who has it asks
func TestWatchLooks(t *testing.T) {
	w := watch(t)
	if err := w.file.Chmod(0o640); err != nil {
		t.Fatal(err)
	}
	w.look(nil)
	if err := os.Rename(w.directory, w.directory+".away"); err != nil {
		t.Fatal(err)
	}
	w.look(nil)
	asked := make(chan struct{})
	go func() { w.Look(); close(asked) }()
	w.look(nil)
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Error("who has asked is not told")
	}
}

// promise P3: after an error somebody looks again, and again, and it is told once
func TestWatchTriesAgain(t *testing.T) {
	w := watch(t)
	if err := w.file.Chmod(0o640); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		w.look(fs.ErrPermission)
	}
	select {
	case said := <-w.cannot:
		if said != "put back: "+fs.ErrPermission.Error() {
			t.Error(said)
		}
	case <-time.After(time.Minute):
		t.Error("it is not told")
	}
	w.look(nil)
	select {
	case said := <-w.cannot:
		t.Errorf("told again: %s", said)
	default:
	}
}

// promise P3: what was forgotten by a look is watched again
func TestWatchAfterForget(t *testing.T) {
	w := watch(t)
	if err := w.file.Chmod(0o640); err != nil {
		t.Fatal(err)
	}
	select {
	case answer := <-w.looks:
		w.Forget()
		answer <- fs.ErrNotExist
	case <-time.After(time.Minute):
		t.Fatal("nobody looks")
	}
	w.look(nil) // and once more, since it may have been touched before the watch was on it
	w.look(nil)
	if err := w.file.Chmod(0o600); err != nil {
		t.Fatal(err)
	}
	w.look(nil)
}
