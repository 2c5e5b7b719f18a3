package daemon_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The example, as a user runs it.
func TestExample(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	exe, _ := os.Executable()
	pidfile := filepath.Join(dir, "echod.pid")
	echod := func() (string, error) {
		c := exec.Command(exe, "-daemon", "-listen", addr, "-pid", pidfile)
		c.Env = append(os.Environ(), "ECHOD=1", "GORACE=atexit_sleep_ms=0")
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := echod(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("hello\n"))
	b := make([]byte, 6)
	if n, err := c.Read(b); string(b[:n]) != "hello\n" {
		t.Errorf("it answered %q, %v", b[:n], err)
	}
	if out, err := echod(); err == nil || !strings.Contains(out, "already running") {
		t.Errorf("a second start: %v: %s", err, out)
	}
	b, _ = os.ReadFile(pidfile)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	unix.Kill(pid, unix.SIGTERM)
	var ws unix.WaitStatus
	unix.Wait4(pid, &ws, 0, nil)
	if ws != 0 {
		t.Errorf("it ended with %v", ws)
	}
}
