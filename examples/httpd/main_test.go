//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemontest"
)

func TestMain(m *testing.M) { daemontest.Main(m, main) }

// site is a configuration, and what it serves.
type site struct {
	t                      *testing.T
	dir, config, pid, addr string
}

func newSite(t *testing.T) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	s := &site{t, dir, filepath.Join(dir, "httpd.toml"), filepath.Join(dir, "httpd.pid"), l.Addr().String()}
	for _, name := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		s.write(filepath.Join(name, "index.html"), name)
	}
	s.serves("one")
	return s
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) serves(files string) {
	s.write("httpd.toml", fmt.Sprintf("listen = %q\nfiles = %q\nlog = %q\n", s.addr, filepath.Join(s.dir, files),
		filepath.Join(s.dir, "log")))
}

func (s *site) args(more ...string) []string {
	return append([]string{"-config", s.config, "-pid", s.pid}, more...)
}

func (s *site) get() string {
	s.t.Helper()
	r, err := http.Get("http://" + s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *site) do(status int, said string, args ...string) {
	s.t.Helper()
	got, stdout, stderr := daemontest.Do(s.t, s.args(args...)...)
	if got != status || !strings.Contains(stdout+stderr, said) {
		s.t.Errorf("%v: status %d, %q, %q; want %d, %q", args, got, stdout, stderr, status, said)
	}
}

func TestLife(t *testing.T) {
	s := newSite(t)
	s.do(0, "", "-t")
	s.do(3, "httpd is not running", "status")
	d := daemontest.Start(t, s.pid, s.args("-daemon")...)
	if got := s.get(); got != "one" {
		t.Errorf("it serves %q", got)
	}
	s.do(100, "already running", "-daemon")
	s.do(0, "1 requests served", "status")

	s.serves("two")
	s.do(0, "", "reload")
	if got := s.get(); got != "two" {
		t.Errorf("after a reload it serves %q", got)
	}
	s.write("httpd.toml", "file = 'three'")
	s.do(6, "httpd.toml:1:1: file: unknown key; did you mean \"files\"?\n    file = 'three'\n    ^\n", "-t")
	s.do(6, `httpd.toml:1:1: file: unknown key; did you mean "files"?`, "reload")
	s.write("httpd.toml", "files = '/no/such/directory'\nlog = 'standard'")
	s.do(6, `:1:9: files: "/no/such/directory" is not a directory`, "-t")
	s.do(6, `:2:7: log: must be "syslog", "stderr" or an absolute path, not "standard"`, "-t")
	s.write("httpd.toml", fmt.Sprintf("files = %q\nlisten = ':http:'\nuser = 'no-such-user'\nlog = '/no/such/log'", s.dir))
	s.do(6, "listen: address :http:: too many colons", "-t")
	s.do(6, `:3:8: user: there is no user "no-such-user"`, "-t")
	s.do(6, ":4:7: log: there is no directory /no/such", "-t")
	s.write("httpd.toml", fmt.Sprintf("files = %q", s.dir))
	s.do(6, "listen, log cannot change while it runs", "reload")
	if got := s.get(); got != "two" {
		t.Errorf("after reloads that were refused it serves %q", got)
	}
	d.Signal(unix.SIGUSR1)
	d.Signal(unix.SIGTERM)
	if status := d.Wait(); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	if log, _ := os.ReadFile(filepath.Join(s.dir, "log")); !strings.Contains(string(log), "stopped") {
		t.Errorf("the log:\n%s", log)
	}
}

// An answer that is under way when the stop is asked for comes to its end.
func TestGracefulStop(t *testing.T) {
	s := newSite(t)
	const size = 32 << 20 // more than what sockets keep of it
	s.write("one/big", strings.Repeat("x", size))
	d := daemontest.Start(t, s.pid, s.args("-daemon")...)
	r, err := http.Get("http://" + s.addr + "/big")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	d.Signal(unix.SIGTERM)
	for { // until nobody is let in any more
		other, err := net.Dial("tcp", s.addr)
		if err != nil {
			break
		}
		other.Close()
	}
	if n, err := io.Copy(io.Discard, r.Body); n != size || err != nil {
		t.Errorf("%d bytes of %d, %v", n, size, err)
	}
	if status := d.Wait(); status != 0 {
		t.Errorf("it ended with %d", status)
	}
}

func TestInitScript(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("an init script is root's")
	}
	s := newSite(t)
	program := daemontest.Command(t)
	s.write("httpd", fmt.Sprintf("#!/bin/sh\nDAEMONTEST_PROGRAM=1 exec '%s' -config '%s' -pid '%s' \"$@\"\n",
		program.Path, s.config, s.pid))
	if err := os.Chmod(filepath.Join(s.dir, "httpd"), 0o755); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("packaging/httpd.init")
	if err != nil {
		t.Fatal(err)
	}
	s.write("init", strings.ReplaceAll(string(script), "/usr/sbin/httpd", filepath.Join(s.dir, "httpd")))
	do := func(action string, want int) {
		t.Helper()
		c := exec.Command("sh", filepath.Join(s.dir, "init"), action)
		if out, _ := c.CombinedOutput(); c.ProcessState.ExitCode() != want {
			t.Errorf("%s: %d, want %d: %s", action, c.ProcessState.ExitCode(), want, out)
		}
	}
	do("status", 3)
	do("stop", 0)
	do("reload", 7)
	do("start", 0)
	defer do("stop", 0)
	do("start", 0)
	do("status", 0)
	do("restart", 0)
	do("reload", 0)
	do("upgrade", 0)
	s.write("httpd.toml", "nonsense")
	do("upgrade", 1)
	do("restart", 6)
	do("status", 0)
	do("force-reload", 6)
	do("jump", 2)
	do("stop", 0)
	do("status", 3)
	do("start", 6)
}
