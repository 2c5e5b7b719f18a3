package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// promises K1, U1: a program's socket outlives an upgrade, with who has connected to it,
// and so on through a restart of the program
func TestUpgradeKeepsSockets(t *testing.T) {
	w := newWorld(t, `
[program.web]
command = ["/bin/sh", "-c", "echo up >>$DIR/web; exec tail -n 0 -f $DIR/conf.toml"]
listen = ["unix:$DIR/s"]
[program.rests]
command = ["/bin/sh", "-c", "echo up >>$DIR/rests; exec tail -n 0 -f $DIR/conf.toml"]
listen = ["unix:$DIR/r"]
`)
	p := w.up()
	path := filepath.Join(w.dir, "s")
	w.await(filepath.Join(w.dir, "rests"), "up")
	if status, stderr := w.run("down", "rests"); status != 0 {
		t.Fatalf("down: %d, %s", status, stderr)
	}
	was, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, path)
	for range 3 {
		w.upgrade(newer(t))
		connect(t, path)
		connect(t, filepath.Join(w.dir, "r"))
	}
	if status, stderr := w.run("restart", "web"); status != 0 {
		t.Errorf("restart: %d, %s", status, stderr)
	}
	if now, err := os.Lstat(path); err != nil || !os.SameFile(was, now) {
		t.Errorf("it is another socket: %v, %v, and %v", was, now, err)
	}
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("who has connected is told %v", err)
	}
	w.down(p)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// promise U1: the pause does not grow with the processes of the machine: nobody looks through them for who has an
// address that a program lacks.
func TestUpgradeLooksForNobody(t *testing.T) {
	needStrace(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	stranger := exec.Command("sleep", "1000")
	stranger.ExtraFiles = []*os.File{file}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer stranger.Wait()
	defer stranger.Process.Kill()
	address := l.Addr().String()
	file.Close()
	l.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := newFaulty(t, self)
	w.configure(oneProgram + "[program.web]\ncommand = [\"/bin/sleep\", \"1000\"]\n")
	if status, stderr := w.run("reload"); status != 0 {
		t.Fatal(stderr)
	}
	if status, stderr := w.run("down", "web"); status != 0 {
		t.Fatal(stderr)
	}
	w.configure(oneProgram + "[program.web]\ncommand = [\"/bin/sleep\", \"1000\"]\nlisten = [\"tcp:" + address + "\"]\n")
	w.upgradeTraced("-e", "trace=openat")
	trace := w.read(w.trace)
	if !w.judge("no fault") || w.status != 0 || !strings.Contains(trace, w.conf) ||
		strings.Contains(trace, "/proc/"+itoa(stranger.Process.Pid)+"/fd") {
		t.Errorf("upgrade: %d, %s; the trace:\n%s", w.status, w.said, trace)
	}
	w.down(w.daemon)
}

func connect(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
