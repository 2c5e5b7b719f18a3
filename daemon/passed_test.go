//go:build linux

package daemon_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sockets that the caller has bound are served, in the foreground and through Detach;
// the daemon's children hear nothing of it
func TestListenersThatWerePassed(t *testing.T) {
	for _, does := range []string{"is-passed", "is-passed foreground"} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t, does+" tells-when-ready")
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			u, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			first, _ := l.(*net.TCPListener).File()
			second, _ := u.(*net.UDPConn).File()
			c := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:names exec "$0"`, w.command().Path)
			c.Env = w.env
			c.ExtraFiles = []*os.File{first, second}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			w.expect("passed names")
			w.expect(`listens 1 ""`)
			w.expect("start")
			w.expect("ready running")
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if said, err := io.ReadAll(conn); string(said) != "hello\n" {
				t.Errorf("it said %q, %v", said, err)
			}
			pid := w.pid()
			w.signal(pid, unix.SIGTERM)
			if strings.Contains(does, "foreground") {
				c.Wait()
			} else {
				c.Wait()
				w.end(pid)
			}
			w.gone()
		})
	}
}

// what was meant for another process is not taken
func TestListenersOfAnother(t *testing.T) {
	w := newWorld(t, "is-passed foreground")
	w.env = append(w.env, "LISTEN_PID=1", "LISTEN_FDS=1")
	c := w.command()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w.expect(`listens 0 ""`)
	w.expect("start")
	c.Process.Signal(unix.SIGTERM)
	c.Wait()
}
