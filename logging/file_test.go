package logging

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// promise S5
func TestFileRefused(t *testing.T) {
	dir, err := os.MkdirTemp("", "log") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := unix.Mkfifo(path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(path("read"), 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := unix.Open(path("read"), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(reader)
	if err := os.Symlink("target", path("link")); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", path("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for name, why := range map[string]string{
		"fifo":    "is a FIFO",
		"read":    "is a FIFO",
		"link":    "is a symbolic link",
		"socket":  "is a socket",
		".":       "is a directory",
		"no/file": "no such file or directory",
	} {
		to := dir + "/" + name
		l, err := Open(Options{To: to})
		if err == nil {
			l.Close()
			t.Errorf("%s was opened", name)
		} else if !strings.HasPrefix(err.Error(), "log file "+to+": ") || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", name, err, why)
		}
	}
	if _, err := os.Lstat(path("target")); err == nil {
		t.Error("the symbolic link was followed")
	}
}

func TestFileKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("0 old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := mustOpen(t, Options{To: path}, host())
	l.Logger().Info("new")
	mustClose(t, l)
	wantLines(t, path, "old", "INFO new")
}

func TestDeviceAccepted(t *testing.T) {
	l := mustOpen(t, Options{To: "/dev/null"}, host())
	l.Logger().Info("gone")
	mustClose(t, l)
}
