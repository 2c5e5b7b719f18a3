package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// promise A1: what is asked of no program at all, as of a pattern that none has matched, is done at once.
func TestNothingIsAsked(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+hold))
	w.collect(1)
	expectSaid(t, w.said(w.set.Up(t.Context(), of())), "")
	expectSaid(t, w.said(w.set.Down(t.Context(), of())), "")
	expectSaid(t, w.said(w.set.Restart(t.Context(), of())), "")
	expectSaid(t, w.said(w.set.Signal(t.Context(), unix.SIGUSR1, of())), "")
}

// promise A1: what an author forgets is told, and ends no program that runs.
func TestForgotten(t *testing.T) {
	w := newWorld(t, supervise.Options{Output: func(p *supervise.Program) (*supervise.Sink, error) {
		if p.Output == "empty" {
			return &supervise.Sink{}, nil
		}
		return nil, nil
	}})
	w.apply(w.program("a", announce+"echo said; "+hold, func(p *supervise.Program) { p.Output = "none" }),
		w.program("b", announce+"echo said; "+hold, func(p *supervise.Program) { p.Output = "empty" }))
	w.collect(2)
	w.logged("program a: its output is lost")
	w.logged("program b: its output is lost")
	ws, err := w.set.Run(t.Context(), "/bin/true", nil, nil, nil)
	if err != nil || ws.ExitStatus() != 0 {
		t.Errorf("without arguments: status %d, %v", ws.ExitStatus(), err)
	}
	if _, err := w.set.Run(t.Context(), "", nil, nil, nil); !errors.Is(err, unix.ENOENT) {
		t.Errorf("without an executable: %v", err)
	}
}

// promise A1: a Feed that nobody could be fed with is told where it is given, and not by the end of the process
func TestFeedOfNothing(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	for _, f := range []*supervise.Feed{{}, {Command: []string{"/bin/cat"}}, {Serve: func(context.Context, *os.File) {}}} {
		func() {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, "Feed") {
					t.Errorf("%+v: %s", f, said)
				}
			}()
			w.set.Feed(f)
		}()
	}
	w.set.Feed(nil)
}
