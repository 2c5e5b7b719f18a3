package supervise_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// collector is a Sink that a test can wait for.
func collector(split bool) (func(*supervise.Program) (*supervise.Sink, error), chan string) {
	lines := make(chan string, 100_000)
	return func(*supervise.Program) (*supervise.Sink, error) {
		return &supervise.Sink{Split: split, Close: func() { lines <- "closed" }, Line: func(stderr bool, text []byte) {
			prefix := "out: "
			if stderr && split {
				prefix = "err: "
			}
			select {
			case lines <- prefix + string(text):
			default:
			}
		}}, nil
	}, lines
}

func logged(p *supervise.Program) { p.Output = "log" }

// issue 3.5
func TestOutput(t *testing.T) {
	for split, want := range map[bool][]string{
		true:  {"err: three", "out: one", "out: two"},
		false: {"out: one", "out: two", "out: three"},
	} {
		open, lines := collector(split)
		w := newWorld(t, supervise.Options{Output: open})
		w.apply(w.program("a", `echo one; echo two; printf three >&2`, logged,
			func(p *supervise.Program) { p.Restart = supervise.Never }))
		got := map[string]bool{}
		for range want {
			got[<-lines] = true
		}
		for _, line := range want {
			if !got[line] {
				t.Errorf("split %v: no %q in %v", split, line, got)
			}
		}
		if err := w.stop(20 * time.Second); err != nil {
			t.Error(err)
		}
		if last := <-lines; last != "closed" {
			t.Errorf("%q, want it closed", last)
		}
	}
}

// issue 3.5: a flood, lines without end, and a reader that is slow stop nobody
func TestFlood(t *testing.T) {
	open, lines := collector(false)
	w := newWorld(t, supervise.Options{Output: open})
	w.apply(w.program("a",
		`head -c 3000000 /dev/zero | tr '\0' x; i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo $i; done; `+announce+hold,
		logged, func(p *supervise.Program) { p.RateLimit = 10 }))
	w.expect("a")
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	passed, told := 0, false
	for {
		line := <-lines
		if line == "closed" {
			break
		}
		passed++
		told = told || strings.Contains(line, "dropped by rate_limit")
	}
	if passed > 1000 {
		t.Errorf("%d lines passed", passed)
	}
	if !told {
		t.Error("nobody was told of what was dropped")
	}
}

// issue: closed output, and a grandchild that keeps it open
func TestOutputHeldByAGrandchild(t *testing.T) {
	open, lines := collector(false)
	w := newWorld(t, supervise.Options{Output: open})
	w.apply(w.program("a", `setsid sleep 3 & echo parent; exec >&- 2>&-; `+announce+`exit 0`, logged,
		func(p *supervise.Program) { p.Restart = supervise.Never }))
	w.expect("a")
	if got := <-lines; got != "out: parent" {
		t.Errorf("%q", got)
	}
	w.logged("program a: exited with status 0")
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
}

// issue 9: a program that runs as another user may open its output by name, as its own files: /dev/stderr is what
// containers' configurations have for a log
func TestOutputOpenedByName(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it runs a program as another user")
	}
	open, lines := collector(true)
	w := newWorld(t, supervise.Options{Output: open})
	w.apply(w.program("a", `echo one >/proc/self/fd/1; echo two >/proc/self/fd/2`, logged, func(p *supervise.Program) {
		p.Restart = supervise.Never
		p.User = &supervise.User{Name: "other", UID: 64321, GID: 64321, Home: "/", Shell: "/bin/sh"}
	}))
	w.logged("program a: exited with status ")
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	got := map[string]bool{}
	for line := ""; line != "closed"; got[line] = true {
		line = <-lines
	}
	if !got["out: one"] || !got["err: two"] {
		t.Errorf("%v", got)
	}
}

// A program whose output has nowhere to go still runs.
func TestOutputWithoutASink(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", "echo x; "+announce+hold, logged))
	w.expect("a")
	w.logged("program a: its output is lost")
	if err := w.set.Await(context.Background()); err != nil {
		t.Error(err)
	}
}
