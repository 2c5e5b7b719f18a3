//go:build linux

package daemon_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promise I2: sd_notify, with the socket in the file system and in the abstract name space
func TestSystemdIsTold(t *testing.T) {
	for name, path := range map[string]string{"path": filepath.Join(t.TempDir(), "notify"),
		"abstract": "@daemon-test-" + strconv.Itoa(os.Getpid())} {
		t.Run(name, func(t *testing.T) {
			next := notifySocket(t, path)
			w := newWorld(t, "reload-fails")
			w.env = append(w.env, "NOTIFY_SOCKET="+path)
			pid := w.up()
			if got, want := next(), fmt.Sprintf("MAINPID=%d\nREADY=1\nSTATUS=well", pid); got != want {
				t.Errorf("at the start: %q, want %q", got, want)
			}
			w.signal(pid, unix.SIGHUP)
			usec, ok := strings.CutPrefix(next(), "RELOADING=1\nMONOTONIC_USEC=")
			if n, err := strconv.Atoi(usec); !ok || err != nil || n <= 0 {
				t.Errorf("at the reload: MONOTONIC_USEC=%q", usec)
			}
			if got := next(); got != "READY=1\nSTATUS=well" {
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
	notifySocket(t, path)
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

// promise S2, A2: systemd is told why, as the caller is
func TestSystemdIsToldWhy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	next := notifySocket(t, path)
	for _, does := range []string{"start-fails foreground", "start-fails"} {
		w := newWorld(t, does)
		w.env = append(w.env, "NOTIFY_SOCKET="+path)
		w.start()
		if got := next(); got != "STATUS=open /etc/testd: no such thing" {
			t.Errorf("%s: %q", does, got)
		}
	}
}

// systemd's watchdog is told while the daemon is well, and only then; nobody else's is
func TestWatchdog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	read := notifySocket(t, path)
	told := make(chan string, 100000) // its queue is short, and what does not fit is lost
	go func() {
		for {
			message := read()
			if message == "" {
				return
			}
			told <- message
		}
	}()
	w, log := withLog(t, "lives")
	w.env = append(w.env, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=200000")
	pid := w.up()
	for n := 0; n < 3; {
		if <-told == "WATCHDOG=1" {
			n++
		}
	}
	w.signal(pid, unix.SIGUSR1) // it is not well from now on
	for !strings.Contains(log(), "it is not well") {
		time.Sleep(time.Millisecond)
	}
	w.signal(pid, unix.SIGTERM)
	if status := w.end(pid); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	for message := range told {
		if message == "STOPPING=1" {
			break
		}
		if message != "WATCHDOG=1" {
			t.Fatalf("systemd is told %q", message)
		}
	}

	w = newWorld(t, "lives")
	w.env = append(w.env, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=200000", "WATCHDOG_PID=1")
	pid = w.up()
	w.signal(pid, unix.SIGTERM)
	w.end(pid)
	for message := range told {
		if message == "STOPPING=1" {
			break
		}
		if message == "WATCHDOG=1" {
			t.Error("another process's watchdog was told")
		}
	}
}

// notifySocket is systemd's side; next waits for a message.
func notifySocket(t *testing.T, path string) (next func() string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Shutdown(fd, unix.SHUT_RD); unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	return func() string {
		b := make([]byte, 4096)
		n, err := unix.Read(fd, b)
		if err != nil {
			t.Error(err)
		}
		return string(b[:max(0, n)])
	}
}
