package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// promises I2, U1: in the foreground it stays the child of whoever has started it, and tells systemd
func TestUpgradeInTheForeground(t *testing.T) {
	w := newWorld(t, oneProgram)
	address := filepath.Join(w.dir, "notify")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: address}); err != nil {
		t.Fatal(err)
	}
	limit := unix.NsecToTimeval(patience.Nanoseconds())
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	heard := func() string {
		buf := make([]byte, 4096)
		n, err := unix.Read(fd, buf)
		if err != nil {
			t.Fatalf("nothing is heard: %v; the log:\n%s", err, w.read(w.log))
		}
		text, _, _ := strings.Cut(string(buf[:n]), "\n")
		return text
	}
	c := w.command("-n")
	c.Env = append(c.Env, "NOTIFY_SOCKET="+address)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	if said := heard(); said != "READY=1" {
		t.Fatalf("it says %q", said)
	}
	was := w.pids()
	for range 3 {
		w.upgrade(newer(t))
		for _, want := range []string{"RELOADING=1", "READY=1"} {
			if said := heard(); said != want {
				t.Errorf("it says %q, and should %q", said, want)
			}
		}
	}
	if now := w.pids(); fmt.Sprint(now) != fmt.Sprint(was) || w.state().PID != c.Process.Pid {
		t.Errorf("programs were %v, are %v", was, now)
	}
	c.Process.Signal(unix.SIGTERM)
	if said := heard(); said != "STOPPING=1" {
		t.Errorf("it says %q", said)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	w.empty()
}

// promise U1: what the startup command has left running may go on writing
func TestUpgradeKeepsTheStartups(t *testing.T) {
	w := newWorld(t, `
[startup]
command = ["/bin/sh", "-c", "(while [ ! -e $DIR/go ]; do sleep 0.05; done; echo one; echo two; echo wrote >$DIR/wrote; exec tail -n 0 -f $DIR/conf.toml) & exit 0"]
`+oneProgram)
	p := w.up()
	for range 2 {
		w.upgrade(newer(t))
	}
	if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	w.await(filepath.Join(w.dir, "wrote"), "wrote")
	w.down(p)
}

// promises S7, U1: a path on the command line means the caller's directory, after an upgrade too
func TestUpgradeOfARelativePath(t *testing.T) {
	w := newWorld(t, oneProgram)
	c := w.command("-D")
	c.Args = []string{c.Args[0], "-Df", "conf.toml", "--pid=pid", "start"}
	c.Dir = w.dir
	if status, stderr := w.finish(c); status != 0 {
		t.Fatalf("start: %d, %s", status, stderr)
	}
	p := w.daemon()
	for range 2 {
		w.upgrade(newer(t))
	}
	if status, stderr := w.run("reload"); status != 0 {
		t.Errorf("reload: %d, %s", status, stderr)
	}
	w.down(p)
}

// promise U1: the descriptor that was passed for readiness is gone after the start,
// and what has its number since is left alone
func TestUpgradeReadyFD(t *testing.T) {
	w := newWorld(t, oneProgram)
	r, ready, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := w.command("-n", "--ready-fd", "20")
	c.ExtraFiles = make([]*os.File, 20-3+1)
	c.ExtraFiles[20-3] = ready
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	ready.Close()
	if said, err := io.ReadAll(r); err != nil || string(said) != "\n" {
		t.Fatalf("it says %q, %v", said, err)
	}
	var more string // what they write to takes the number
	for i := range 8 {
		more += fmt.Sprintf(oneMore, fmt.Sprintf("late%d", i))
	}
	w.configure(oneProgram + more)
	if status, stderr := w.run("reload"); status != 0 {
		t.Fatalf("reload: %d, %s", status, stderr)
	}
	was := w.pids()
	for range 2 {
		w.upgrade(newer(t))
	}
	for i := range 8 {
		path := filepath.Join(w.dir, fmt.Sprintf("late%d", i))
		w.await(path, "up")
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err == nil {
			_, err = fmt.Fprintf(f, "hello of %d\n", i)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		w.await(w.log, fmt.Sprintf("hello of %d", i))
	}
	if now := w.pids(); fmt.Sprint(now) != fmt.Sprint(was) || w.state().PID != c.Process.Pid {
		t.Errorf("programs were %v, are %v", was, now)
	}
	c.Process.Signal(unix.SIGTERM)
	if err := c.Wait(); err != nil {
		t.Errorf("%v; the log:\n%s", err, w.read(w.log))
	}
	w.empty()
}
