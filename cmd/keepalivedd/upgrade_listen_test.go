package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
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

func connect(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
