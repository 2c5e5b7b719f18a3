package daemon_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// promise I2: sd_notify, with the socket in the file system and in the abstract name space
func TestSystemdIsTold(t *testing.T) {
	for name, path := range map[string]string{"path": filepath.Join(t.TempDir(), "notify"), "abstract": "@daemon-test-" + strconv.Itoa(os.Getpid())} {
		t.Run(name, func(t *testing.T) {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
				t.Fatal(err)
			}
			next := func() string {
				b := make([]byte, 4096)
				n, err := unix.Read(fd, b)
				if err != nil {
					t.Fatal(err)
				}
				return string(b[:n])
			}
			w := newWorld(t, "reload-fails")
			w.env = append(w.env, "NOTIFY_SOCKET="+path)
			pid := w.up()
			if got := next(); got != "READY=1" {
				t.Errorf("at the start: %q", got)
			}
			w.signal(pid, unix.SIGHUP)
			usec, ok := strings.CutPrefix(next(), "RELOADING=1\nMONOTONIC_USEC=")
			if n, err := strconv.Atoi(usec); !ok || err != nil || n <= 0 {
				t.Errorf("at the reload: MONOTONIC_USEC=%q", usec)
			}
			if got := next(); got != "READY=1" {
				t.Errorf("after the reload: %q", got)
			}
			w.signal(pid, unix.SIGTERM)
			if got := next(); got != "STOPPING=1" {
				t.Errorf("at the stop: %q", got)
			}
			w.end(pid)
		})
	}
}

// promise S5: a systemd that does not read
func TestHungSystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "")
	w.env = append(w.env, "NOTIFY_SOCKET="+path)
	pid := w.up()
	w.expect("start")
	for range 50 {
		w.signal(pid, unix.SIGHUP)
		w.expect("reload")
	}
	w.signal(pid, unix.SIGTERM)
	if status := w.end(pid); status != 0 {
		t.Errorf("it ended with %d", status)
	}
}
