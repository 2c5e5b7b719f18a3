package supervise_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// issue 3.3: each way of being ready, and waiting for it
func TestReadyAndOrder(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		ready  supervise.Ready
	}{
		"fd":     {announce + `read go <"$FIFO.go"; echo >&5; ` + hold, supervise.Ready{FD: 5}},
		"notify": {announce + `read go <"$FIFO.go"; ` + notify + hold, supervise.Ready{Notify: true}},
		"alive":  {announce + hold, supervise.Ready{After: 50 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "notify" {
				needsPython(t)
			}
			w := newWorld(t, supervise.Options{})
			goOn := w.fifo + ".go"
			if err := unix.Mkfifo(goOn, 0o666); err != nil {
				t.Fatal(err)
			}
			w.apply(w.program("first", c.script, func(p *supervise.Program) { p.Ready = &c.ready }),
				w.program("second", announce+hold,
					func(p *supervise.Program) { p.Order = &supervise.Order{After: []string{"first"}} }))
			w.expect("first")
			if name != "alive" {
				if got := w.state("second"); got != "blocked" {
					t.Errorf("before the first is ready, the second is %s", got)
				}
				if err := os.WriteFile(goOn, []byte("go\n"), 0); err != nil {
					t.Fatal(err)
				}
			}
			w.logged("program first: ready")
			w.expect("second")
			if got := w.state("first"); got != "up" {
				t.Errorf("the first is %s", got)
			}
		})
	}
}

const notify = `python3 -c 'import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
a = os.environ["NOTIFY_SOCKET"]; s.sendto(b"READY=1\n", "\0" + a[1:] if a[0] == "@" else a)'; `

func needsPython(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("needs python3, to send to the notify socket")
	}
}

// issue 3.3: a program that does not get ready is ended and counted as failed
func TestReadyTimeout(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+hold,
		func(p *supervise.Program) { p.Ready = &supervise.Ready{FD: 3, Timeout: 50 * time.Millisecond} }))
	pid := w.expect("a")
	w.logged("program a: not ready after 50ms (no newline on its descriptor 3): stopping it")
	w.logged("program a: not ready after 50ms (no newline on its descriptor 3); restarting now")
	gone(t, pid)
	w.expect("a")
}

// promise L1: a night of it does not fill the log: both of its lines are told of failure 1, 2, 4, 8 … in a row
func TestReadyTimeoutAgainAndAgain(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", "exec sleep 1000", func(p *supervise.Program) {
		p.Ready = &supervise.Ready{FD: 3, Timeout: 10 * time.Millisecond}
		p.Backoff = &supervise.Backoff{Min: time.Millisecond, Max: time.Millisecond}
	}))
	for stopping := 0; ; {
		switch line := w.logged("program a: not ready after 10ms"); {
		case strings.Contains(line, ": stopping it"):
			stopping++
		case strings.Contains(line, "(8 times in a row)"):
			if stopping != 4 {
				t.Errorf("of 8 failures %d say that it is stopped, and 4 how they ended", stopping)
			}
			return
		}
	}
}

// issue 3.3, promise S2: Required programs hold the start up, and tell why they fail
func TestRequired(t *testing.T) {
	required := func(p *supervise.Program) { p.Required = true }
	t.Run("ready", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		w.apply(w.program("a", announce+"sleep 0.1; echo >&3; "+hold, required,
			func(p *supervise.Program) { p.Ready = &supervise.Ready{FD: 3} }),
			w.program("once", announce+"exit 0", required, func(p *supervise.Program) { p.OneShot = true }))
		if err := w.set.Await(context.Background()); err != nil {
			t.Error(err)
		}
		if a, once := w.state("a"), w.state("once"); a != "up" || once != "done" {
			t.Errorf("a is %s, once is %s", a, once)
		}
	})
	// issue 7.A6: without ready it has to live for a second; a start used to be over before the process had begun
	t.Run("dies at once", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		w.apply(w.program("a", `echo "bad configuration"; exit 3`, required))
		if err := w.set.Await(context.Background()); err == nil ||
			!strings.Contains(err.Error(), "program a: exited with status 3") {
			t.Error(err)
		}
	})
	t.Run("lives", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		begin := time.Now()
		w.apply(w.program("a", announce+hold, required))
		if err := w.set.Await(context.Background()); err != nil || time.Since(begin) < time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
	// issue 7.A5: what cannot be had is the start's failure for a Required one
	t.Run("missing", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		p := w.program("a", "", required)
		p.Command = []string{"/no/such/program"}
		c, err := w.set.Update(context.Background(), []supervise.Program{p, w.program("other", announce+hold)})
		if err != nil || len(c.Failed) != 1 {
			t.Errorf("Update: %v, %v", c, err)
		}
		if err := w.set.Await(context.Background()); err == nil ||
			!strings.Contains(err.Error(), "program a: cannot be started: /no/such/program: no such file") {
			t.Errorf("Await: %v", err)
		}
	})
	t.Run("fails", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		w.apply(w.program("a",
			`i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo "line $i"; done; echo "cannot open it" >&2; exit 3`, required,
			func(p *supervise.Program) { p.OneShot = true }))
		err := w.set.Await(context.Background())
		if err == nil {
			t.Fatal("no error")
		}
		for _, want := range []string{"program a: exited with status 3", "line 20\ncannot open it"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
		if strings.Contains(err.Error(), "line 5\n") {
			t.Errorf("too much of it: %q", err)
		}
	})
}

// issue 3.3, 3.6: readiness by descriptor, and a watchdog by socket
func TestReadyFDWithWatchdog(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", `test -n "$NOTIFY_SOCKET" && echo >&4; `+announce+hold, func(p *supervise.Program) {
		p.Ready = &supervise.Ready{FD: 4, Watchdog: time.Minute}
	}))
	w.expect("a")
	w.logged("program a: ready")
}
