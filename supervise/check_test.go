package supervise_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// issue 3.6
func TestCheck(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	flag := filepath.Join(t.TempDir(), "well")
	os.WriteFile(flag, nil, 0o644)
	w.apply(w.program("a", announce+hold, func(p *supervise.Program) {
		p.Check = &supervise.Check{Command: []string{"/bin/sh", "-c", `echo "check 0" >"$FIFO"; test -e ` + flag},
			Every: 10 * time.Millisecond, Timeout: 10 * time.Second, Failures: 3}
	}))
	pid, checks := 0, 0
	for pid == 0 || checks < 2 {
		if name, n := w.next(); name == "a" {
			pid = n
		} else {
			checks++
		}
	}
	os.Remove(flag)
	w.logged("its check failed 3 times in a row")
	gone(t, pid)
	os.WriteFile(flag, nil, 0o644)
	for {
		if name, next := w.next(); name == "a" {
			if next == pid {
				t.Error("the same process")
			}
			break
		}
	}
}

// promise R4: a reload that takes a check away from a program that runs ends it there; one that adds a check begins it
func TestCheckIsTakenAway(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	checked := func(name string) func(*supervise.Program) {
		return func(p *supervise.Program) {
			p.Check = &supervise.Check{Command: []string{"/bin/sh", "-c", `echo "` + name + ` 0" >"$FIFO"`},
				Every: 10 * time.Millisecond, Timeout: time.Minute}
		}
	}
	w.apply(w.program("a", announce+hold, checked("check-a")), w.program("b", announce+hold))
	for name, _ := w.next(); name != "check-a"; name, _ = w.next() {
	}
	w.apply(w.program("a", announce+hold), w.program("b", announce+hold, checked("check-b")))
	for n := 0; n < 5; { // in which a's would have come
		if name, _ := w.next(); name == "check-b" {
			n++
		}
	}
	for _, s := range w.set.Status() {
		if s.State != "up" || s.Starts != 1 {
			t.Errorf("%+v", s)
		}
	}
}

// issue 3.6: a check that hangs is killed, and has failed
func TestHungCheck(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+hold, func(p *supervise.Program) {
		p.Check = &supervise.Check{Command: []string{"/bin/sleep", "1000"}, Every: time.Millisecond,
			Timeout: 30 * time.Millisecond}
	}))
	w.expect("a")
	w.logged("its check failed 1 times in a row, the last one killed by SIGKILL")
	w.expect("a")
}

// issue 3.6
func TestWatchdog(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", `NAME="a-$WATCHDOG_USEC"; `+announce+hold, func(p *supervise.Program) {
		p.Ready = &supervise.Ready{Watchdog: 50 * time.Millisecond}
	}))
	w.expect("a-50000")
	w.logged("program a: no WATCHDOG=1 for 50ms: stopping it")
	w.expect("a-50000")
}
