//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemontest"
)

func TestMain(m *testing.M) { daemontest.Main(m, main) }

// promise A1: what the README shows is this program, whole
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "\n## A daemon of your own\n")
	_, rest, _ = strings.Cut(rest, "```go\n")
	if block, _, _ := strings.Cut(rest, "```\n"); block != string(source) {
		t.Errorf("README.md shows:\n%s\nand main.go is:\n%s", block, source)
	}
	_, body, _ := strings.Cut(string(source), "func main() {\n")
	body, _, _ = strings.Cut(body, "\n}\n")
	if n := strings.Count(body, "\n") + 3; n > 25 {
		t.Errorf("main has %d lines, and is to have 25 at most", n)
	}
}

// promise A1, S1, S2, S3, T1
func TestEchod(t *testing.T) {
	dir := t.TempDir()
	pid, log := filepath.Join(dir, "echod.pid"), filepath.Join(dir, "log")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	args := []string{"-daemon", "-listen", addr, "-pid", pid, "-log", log}
	status, _, stderr := daemontest.Do(t, args...)
	if want := "echod: listen tcp " + addr + ": bind: address already in use\n"; status != 1 || stderr != want {
		t.Errorf("a start on a port that is taken: %d, %q, want %q", status, stderr, want)
	}
	free.Close()
	if status, _, stderr := daemontest.Do(t, append(args, "")...); status != 2 {
		t.Errorf("an empty shell variable in the place of a verb: %d, %q", status, stderr)
	}
	d := daemontest.Start(t, pid, args...)
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
	if status, out, _ := daemontest.Do(t, "-pid", pid, "status"); status != 0 ||
		out != fmt.Sprintf("echod is running, pid %d\n", d.PID) {
		t.Errorf("status: %d, %q", status, out)
	}
	if status, _, stderr := daemontest.Do(t, args...); status != 100 || !strings.Contains(stderr, "already running") {
		t.Errorf("a second start: %d, %q", status, stderr)
	}
	d.Signal(unix.SIGTERM)
	if status := d.Wait(); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	if status, _, _ := daemontest.Do(t, "-pid", pid, "status"); status != 3 {
		t.Errorf("status of what has stopped: %d", status)
	}
}
