package supervise_test

import (
	"errors"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// issue 3.4
func TestEssential(t *testing.T) {
	for script, want := range map[string]int{"exit 7": 7, "kill -9 $$": 128 + 9, "exit 0": 0} {
		t.Run(script, func(t *testing.T) {
			ended := make(chan error, 1)
			w := newWorld(t, supervise.Options{Fail: func(err error) { ended <- err }})
			w.apply(w.program("a", script, func(p *supervise.Program) { p.Essential, p.Restart = true, supervise.Never }))
			var e *supervise.EndedError
			if err := <-ended; !errors.As(err, &e) || e.Status != want || e.Name != "a" {
				t.Errorf("%v", err)
			}
		})
	}
}

// promise Q1: an essential program that has failed is never status 0, though no process of it has ended with another
func TestEssentialThatFailsWithoutAStatus(t *testing.T) {
	for want, change := range map[string]func(*supervise.Program){
		"program a: cannot be started: /nonexistent: no such file or directory": func(p *supervise.Program) {
			p.Command = []string{"/nonexistent"}
		},
		"program a: not ready after 1ms (no newline on its descriptor 3)": func(p *supervise.Program) {
			p.Ready = &supervise.Ready{FD: 3, Timeout: time.Millisecond}
		},
	} {
		t.Run(want, func(t *testing.T) {
			ended := make(chan error, 1)
			w := newWorld(t, supervise.Options{Fail: func(err error) { ended <- err }})
			a := w.program("a", `trap "exit 0" TERM; read word <"$FIFO.a"`, change)
			w.onWord("a")
			a.Essential, a.Restart = true, supervise.Never
			if _, err := w.set.Update(t.Context(), []supervise.Program{a}); err != nil {
				t.Fatal(err)
			}
			var e *supervise.EndedError
			if err := <-ended; !errors.As(err, &e) || e.Status == 0 || e.Error() != want {
				t.Errorf("%v, status %d", err, e.Status)
			}
		})
	}
}

// issue 3.2
func TestGiveUpAndPermanentExit(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	quick := &supervise.Backoff{Min: time.Millisecond, Max: time.Millisecond}
	w.apply(w.program("tries", announce+"exit 1", func(p *supervise.Program) {
		p.Backoff, p.GiveUp = quick, &supervise.GiveUp{Tries: 5, Within: time.Hour}
	}))
	for range 5 {
		w.expect("tries")
	}
	w.logged("program tries: exited with status 1")
	w.logged("not restarted")
	if got := w.state("tries"); got != "failed" {
		t.Errorf("it is %s", got)
	}
	w.apply(w.program("permanent", announce+"exit 78", func(p *supervise.Program) { p.PermanentExit = []int{2, 78} }))
	w.expect("permanent")
	w.logged("program permanent: exited with status 78")
	if got := w.state("permanent"); got != "failed" {
		t.Errorf("it is %s", got)
	}
}
