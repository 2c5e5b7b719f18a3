package main

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/fdtest"
)

// promise S5: a start does what it would, and returns what it would, though what it says is read by nobody who has not
// gone: on a terminal that was stopped, and into a pipe that is full
func TestStartThatIsNotRead(t *testing.T) {
	for what, unread := range map[string]func(testing.TB) *os.File{"terminal": stoppedTerminal, "pipe": fdtest.FullPipe} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `
[program.lacking]
command = ["/nonexistent/program"]
[program.one]
command = ["/bin/sh", "-c", "exec tail -f $DIR/conf.toml"]
`)
			// The launcher has something to say, and the copy.
			if err := os.WriteFile(w.pidfile, []byte("stale\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			f := unread(t)
			run := func(args ...string) int {
				c := w.command(args...)
				c.Stderr = f
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				hung := time.AfterFunc(2*patience, func() { c.Process.Kill() })
				defer hung.Stop()
				c.Wait()
				return c.ProcessState.ExitCode()
			}
			if status := run(); status != 0 {
				t.Fatalf("start: status %d; the log:\n%s", status, w.read(w.log))
			}
			d := w.daemon()
			if status := run(); status != 100 {
				t.Errorf("a second start: status %d", status)
			}
			w.down(d)
			w.configure("x =\n")
			if status := run(); status != misconfigured {
				t.Errorf("with a mistake: status %d", status)
			}
			w.empty()
		})
	}
}

// stoppedTerminal is one at which somebody has pressed Control-S.
func stoppedTerminal(t testing.TB) *os.File {
	t.Helper()
	master, slave := fdtest.PTY(t)
	t.Cleanup(func() { master.Close() })
	t.Cleanup(func() { slave.Close() })
	if err := unix.IoctlSetInt(int(slave.Fd()), unix.TCXONC, 0); err != nil { // TCOOFF
		t.Fatal(err)
	}
	return slave
}
