//go:build linux

package logging

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
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

// promise L1: what a full disk has torn is ended before the next line, by whoever writes it: after a reload, or a new
// start
func TestTornLineOfAnother(t *testing.T) {
	const torn = "0 old\n0 tor"
	for name, c := range map[string]struct {
		there string
		plain bool
		want  string
	}{
		"torn":             {torn, false, "0 old\n0 tor\nFIRST\nSECOND\n"},
		"torn, of outputs": {torn, true, "0 old\n0 tor\nFIRST\nSECOND\n"},
		"whole":            {"0 old\n", false, "0 old\nFIRST\nSECOND\n"},
		"empty":            {"", false, "FIRST\nSECOND\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, []byte(c.there), 0o600); err != nil {
				t.Fatal(err)
			}
			l := mustOpen(t, Options{To: path, Plain: c.plain}, host())
			l.Line(0, []byte("FIRST"))
			l.Line(0, []byte("SECOND"))
			mustClose(t, l)
			got := regexp.MustCompile(`(?m)^.* INFO `).ReplaceAllString(mustRead(t, path), "")
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A program may be in the middle of its line when its output is opened anew, and that is no torn line.
func TestReopenInMidLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := mustOpen(t, Options{To: path, Plain: true}, host())
	l.Offer(0, []byte("first "), false)
	old := l.output.Load().sink
	l.Switch(mustPrepare(t, l, Options{To: path, Plain: true}))
	<-old.done
	l.Offer(0, []byte("half"), true)
	mustClose(t, l)
	if got := mustRead(t, path); got != "first half\n" {
		t.Errorf("%q", got)
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
