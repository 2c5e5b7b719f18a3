//go:build linux

package pidfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/pidfile"
)

// promise P2
func TestHostilePaths(t *testing.T) {
	for name, c := range map[string]struct {
		make func(p string) error
		want string
	}{
		"symlink":          {func(p string) error { return os.Symlink(p+".target", p) }, "symbolic link"},
		"dangling symlink": {func(p string) error { return os.Symlink("/nonexistent/x", p) }, "symbolic link"},
		"directory":        {func(p string) error { return os.Mkdir(p, 0o755) }, "a directory"},
		"FIFO":             {func(p string) error { return syscall.Mkfifo(p, 0o644) }, "a FIFO"},
		"socket": {func(p string) error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err == nil {
				err = unix.Bind(fd, &unix.SockaddrUnix{Name: p})
				unix.Close(fd)
			}
			return err
		}, "a socket"},
		"missing directory": {func(p string) error { return os.Remove(filepath.Dir(p)) }, "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d")
			os.Mkdir(dir, 0o755)
			p := filepath.Join(dir, "x")
			put(t, p+".target", "precious")
			if name == "missing directory" {
				os.Remove(p + ".target")
			}
			if err := c.make(p); err != nil {
				t.Fatal(err)
			}
			for what, f := range map[string]func() error{
				"Acquire": func() error { _, err := pidfile.Acquire(p); return err },
				"Look": func() error {
					if name == "missing directory" {
						return errors.New("does not exist") // nobody runs there: no error
					}
					_, err := pidfile.Look(p)
					return err
				},
			} {
				if err := f(); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v, want an error with %q", what, err, c.want)
				}
			}
			if name == "symlink" && read(t, p+".target") != "precious" {
				t.Error("the target of the link was clobbered")
			}
		})
	}
	t.Run("device", func(t *testing.T) {
		if _, err := pidfile.Acquire("/dev/null"); err == nil || !strings.Contains(err.Error(), "a device") {
			t.Errorf("Acquire: %v", err)
		}
	})
	t.Run("hard link", func(t *testing.T) {
		p := path(t)
		put(t, p+".precious", "precious")
		if err := os.Link(p+".precious", p); err != nil {
			t.Fatal(err)
		}
		acquire(t, p)
		if read(t, p+".precious") != "precious" {
			t.Error("the other name's content was clobbered")
		}
	})
	t.Run("another user's file in a sticky directory", func(t *testing.T) {
		us := asUser(t, 65534)
		p := filepath.Join(sharedDir(t, 0o1777), "x")
		put(t, p, "precious")
		os.Chmod(p, 0o666)
		os.Chown(p, 1234, 1234)
		if got := start(t, p, us).do("acquire"); !strings.Contains(got, "permission denied") &&
			!strings.Contains(got, "belongs to uid 1234") {
			t.Errorf("as nobody: %s", got)
		}
		if _, err := pidfile.Acquire(p); err == nil ||
			!strings.Contains(err.Error(), "1234") && !errors.Is(err, fs.ErrPermission) {
			t.Errorf("as root: %v", err)
		}
		if read(t, p) != "precious" {
			t.Error("clobbered")
		}
	})
}

// A read lock can be had by anybody who may read the file: it must not keep the owner out.
func TestReadLockOfAStranger(t *testing.T) {
	p := path(t)
	put(t, p, "")
	fd, err := unix.Open(p, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_RDLCK}); err != nil {
		t.Fatal(err)
	}
	if st, err := pidfile.Look(p); err != nil || st.State != pidfile.Stale {
		t.Errorf("Look: %v, %v, want Stale", st, err)
	}
	acquire(t, p)
}

// promise P5: a full disk
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it mounts a small tmpfs")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4k"); err != nil {
		t.Skip("cannot mount a tmpfs: ", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	put(t, filepath.Join(dir, "ballast"), strings.Repeat("x", 4096))
	p := filepath.Join(dir, "x")
	if _, err := pidfile.Acquire(p); !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), p) {
		t.Errorf("Acquire: %v, want ENOSPC on %s", err, p)
	}
	if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it left a file: %v", err)
	}
}
