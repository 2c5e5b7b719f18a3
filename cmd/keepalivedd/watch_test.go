package main

import (
	"bytes"
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/fdtest"
)

// issue 9.3: status -w draws in place, and q alone ends it; whatever ends it, the terminal is as it was
func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneProgram)
	p := w.up()
	for _, test := range []struct {
		keys   string
		signal syscall.Signal
		want   int
	}{{"xQ\x1b", 0, 0}, {"", unix.SIGTERM, 143}, {"", unix.SIGINT, 130}, {"", unix.SIGHUP, 129}} {
		master, slave := fdtest.PTY(t)
		was, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		c := w.command("status", "-w")
		c.Stdin, c.Stdout = slave, slave
		c.Env = append(c.Env, "TERM=xterm", "NO_COLOR=")
		var stderr bytes.Buffer
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		hung := time.AfterFunc(2*time.Minute, func() { c.Process.Kill() })
		pictures := drawn(master)
		<-pictures
		master.WriteString(test.keys)
		<-pictures // the keys have changed nothing
		if now, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS); now.Lflag == was.Lflag {
			t.Error("keys are still gathered into lines")
		}
		if test.signal != 0 {
			c.Process.Signal(test.signal)
		} else {
			master.WriteString("q")
		}
		go func() {
			for range pictures {
			}
		}()
		err = c.Wait()
		hung.Stop()
		if got := c.ProcessState.ExitCode(); got != test.want {
			t.Errorf("%q %v: status %d, %v, %s", test.keys, test.signal, got, err, stderr.String())
		}
		if now, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS); *now != *was {
			t.Errorf("%q %v: the terminal was\n%+v, and is\n%+v", test.keys, test.signal, *was, *now)
		}
		slave.Close()
		master.Close()
	}
	w.down(p)
}

// issue 9.3: status -w hears of each change, and of those of the next daemon too
func TestWatchHeedsChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneProgram)
	p := w.up()
	changed := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		(&options{names: []string{"one"}}).heedChanges(ctx, w.pidfile, changed)
	}()
	hear := func(what string) {
		t.Helper()
		select {
		case <-changed:
		case <-time.After(patience):
			t.Fatalf("%s is not heard of", what)
		}
	}
	hear("how it is")
	if status, stderr := w.run("down", "one"); status != 0 {
		t.Fatalf("down: %d, %s", status, stderr)
	}
	hear("down")
	w.down(p)
	for len(changed) > 0 {
		<-changed
	}
	p = w.up()
	hear("the next daemon")
	cancel()
	<-ended
	w.down(p)
}

// drawn tells of each picture, which begins at the top.
func drawn(master *os.File) <-chan struct{} {
	pictures := make(chan struct{})
	go func() {
		defer close(pictures)
		var seen []byte
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			seen = append(seen, b[:n]...)
			for {
				_, rest, found := bytes.Cut(seen, []byte("one  \x1b[32mup "))
				if !found {
					break
				}
				seen = rest
				pictures <- struct{}{}
			}
			if err != nil {
				return
			}
		}
	}()
	return pictures
}

// issue 9.3: colours are for a terminal, and for who wants them
func TestColours(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneProgram)
	p := w.up()
	for env, want := range map[string]bool{"NO_COLOR=": true, "NO_COLOR=1": false, "TERM=dumb": false} {
		master, slave := fdtest.PTY(t)
		c := w.command("status")
		c.Env = append(c.Env, "TERM=xterm", env)
		c.Stdout = slave
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		slave.Close()
		b := make([]byte, 64<<10)
		n, _ := master.Read(b)
		for got := n; n > 0; got += n { // to its end, which is an error
			if n, _ = master.Read(b[got:]); n == 0 {
				b = b[:got]
			}
		}
		if got := bytes.Contains(b, []byte("\x1b[32mup")); got != want {
			t.Errorf("%s: %q", env, b)
		}
		master.Close()
	}
	w.down(p)
}
