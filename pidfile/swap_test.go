//go:build linux

package pidfile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// promise P2: whoever may write in the directory may put something else there between the look at the path and its
// opening.
func TestSwappedWhileItIsOpened(t *testing.T) {
	const stranger = 1234
	dir := t.TempDir()
	path, other, precious := filepath.Join(dir, "x"), filepath.Join(dir, "other"), filepath.Join(dir, "precious")
	empty := func(file string) error { return os.WriteFile(file, nil, 0o644) }
	if err := empty(precious); err != nil {
		t.Fatal(err)
	}
	var was unix.Stat_t
	if err := unix.Lstat(precious, &was); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func() error{
		"for a link":            func() error { return os.Symlink(precious, other) },
		"for a stranger's file": func() error { return errors.Join(empty(other), os.Chown(other, stranger, stranger)) },
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(name, "stranger") && os.Geteuid() != 0 {
				t.Skip("needs root: it makes files of another user")
			}
			end, ended := make(chan struct{}), make(chan error)
			go func() {
				for {
					err := errors.Join(put(), os.Rename(other, path), empty(other), os.Rename(other, path))
					select {
					case <-end:
						ended <- err
						return
					default:
					}
				}
			}()
			for range 20000 {
				fd, _, err := openForLock(path)
				if err != nil {
					continue
				}
				var st unix.Stat_t
				if err := unix.Fstat(fd, &st); err != nil || st.Ino == was.Ino || st.Uid == stranger {
					t.Errorf("it has opened what is not ours to write (%v)", err)
				}
				unix.Close(fd)
				if t.Failed() {
					break
				}
			}
			close(end)
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// The kernel finds a file under its path for a moment after its unlink. A mount of the file makes that moment last.
func TestFileWithoutANameIsNotNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it mounts")
	}
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path+".mounted", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	lacking := make(chan error, 1)
	go func() {
		defer close(lacking)
		runtime.LockOSThread() // for ever: its mounts are its own, and go with it
		if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
			lacking <- err
			return
		}
		err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		if err == nil {
			err = unix.Mount(path+".mounted", path, "", unix.MS_BIND, "")
		}
		if err != nil {
			lacking <- err
			return
		}
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(fd)
		if !names(path, fd) {
			t.Error("it is named, and that is not seen")
		}
		if err := os.Remove(path + ".mounted"); err != nil {
			t.Error(err)
		}
		if names(path, fd) {
			t.Error("it is named, though it has been deleted")
		}
	}()
	if err := <-lacking; err != nil {
		t.Skip("needs mounts of its own: ", err)
	}
}
