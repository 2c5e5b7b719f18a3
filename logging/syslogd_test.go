package logging

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeSyslogd is a place where a syslogd can listen, or not.
type fakeSyslogd struct {
	t      *testing.T
	path   string
	conn   *net.UnixConn
	failed chan struct{} // one for each dial that failed, while there is room
}

func newFakeSyslogd(t *testing.T) *fakeSyslogd {
	dir, err := os.MkdirTemp("", "log") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &fakeSyslogd{t: t, path: filepath.Join(dir, "s"), failed: make(chan struct{}, 1)}
}

func (f *fakeSyslogd) system() system {
	sys := host()
	sys.retry = 0
	sys.dial = func() (*os.File, error) {
		w, err := dialUnix(unix.SOCK_DGRAM, f.path)
		if err != nil {
			select {
			case f.failed <- struct{}{}:
			default:
			}
		}
		return w, err
	}
	return sys
}

func (f *fakeSyslogd) start() {
	f.t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: f.path, Net: "unixgram"})
	if err != nil {
		f.t.Fatal(err)
	}
	f.conn = conn
	f.t.Cleanup(func() { conn.Close() })
}

func (f *fakeSyslogd) stop() {
	f.conn.Close()
	os.Remove(f.path)
}

// read returns the next datagram's priority and its text after "tag[pid]: ".
func (f *fakeSyslogd) read() (int, string) {
	f.t.Helper()
	b := make([]byte, 64<<10)
	f.conn.SetReadDeadline(time.Now().Add(time.Minute))
	n, err := f.conn.Read(b)
	if err != nil {
		f.t.Fatal(err)
	}
	head, text, _ := strings.Cut(string(b[:n]), ": ")
	if !strings.HasSuffix(head, fmt.Sprintf(" tag[%d]", os.Getpid())) {
		f.t.Errorf("header %q", head)
	}
	number, _, _ := strings.Cut(strings.TrimPrefix(head, "<"), ">")
	pri, err := strconv.Atoi(number)
	if err != nil {
		f.t.Errorf("header %q", head)
	}
	return pri, strings.TrimSuffix(text, "\n")
}

func (f *fakeSyslogd) want(text string) {
	f.t.Helper()
	if _, got := f.read(); got != text {
		f.t.Errorf("got %q, want %q", got, text)
	}
}

// account reads "m n=0", "m n=1" … up to the last one and checks that each is
// either there, in order, or among those that are reported as lost.
func (f *fakeSyslogd) account(total int) (lost int) {
	f.t.Helper()
	next := 0
	for next < total {
		_, text := f.read()
		text, _, _ = strings.Cut(text, " delayed=")
		var n int
		if _, err := fmt.Sscanf(text, "%d log messages lost", &n); err == nil {
			next += n
			lost += n
			continue
		}
		if text != fmt.Sprintf("m n=%d", next) {
			f.t.Fatalf("got %q, want n=%d", text, next)
		}
		next++
	}
	return lost
}
