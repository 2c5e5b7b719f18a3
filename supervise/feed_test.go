package supervise_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// feed is a Feed that announces itself and goes on with a script.
func (w *world) feed(name, script string, serve func(ctx context.Context, to *os.File), last func()) *supervise.Feed {
	return &supervise.Feed{Command: []string{"/bin/sh", "-c", `FIFO=$0 NAME=$1; ` + announce + script, w.fifo, name},
		Serve: serve, Last: last}
}

// reads says on the FIFO what it reads, and when that has ended.
const reads = `while read -r line; do echo "$NAME:$line 0" >"$FIFO"; done; echo "$NAME:end 0" >"$FIFO"`

// issue 9.6: a feed is kept running, hears of the end of all, and gets the end of its input before the stop is over
func TestFeed(t *testing.T) {
	last, ended := make(chan bool), make(chan bool, 10)
	w := newWorld(t, supervise.Options{})
	serve := func(ctx context.Context, to *os.File) {
		defer func() { ended <- true }()
		fmt.Fprintln(to, "first")
		select {
		case <-last:
			fmt.Fprintln(to, "last")
		case <-ctx.Done():
		}
	}
	w.set.Feed(w.feed("f", reads, serve, func() { close(last) }))
	pid := w.expect("f")
	w.expect("f:first")
	w.set.Feed(w.feed("f", reads, serve, func() { close(last) })) // the same: it is left alone
	w.apply(w.program("a", announce+hold))
	w.expect("a")
	unix.Kill(pid, unix.SIGKILL)
	w.logged("events command: killed by SIGKILL after")
	<-ended
	w.expect("f")
	w.expect("f:first")

	w.set.Feed(w.feed("g", reads, serve, func() { close(last) }))
	w.expect("f:end")
	w.expect("g")
	w.expect("g:first")
	<-ended
	if err := w.stop(time.Minute); err != nil {
		t.Error(err)
	}
	w.expect("g:last")
	w.expect("g:end")
	<-ended
}

// issue 9.6: one that dies in the course of a stop comes back, and hears of the end of all, though it waits for its
// next start by then
func TestFeedThatDiesInAStop(t *testing.T) {
	for name, waits := range map[string]bool{"started anew": false, "waiting": true} {
		t.Run(name, func(t *testing.T) {
			last := make(chan bool)
			w := newWorld(t, supervise.Options{})
			w.apply(w.program("a", stubborn))
			stays := w.expect("a")
			w.set.Feed(w.feed("f", reads, func(ctx context.Context, to *os.File) {
				select {
				case <-last:
					fmt.Fprintln(to, "last")
				case <-ctx.Done():
				}
			}, func() { close(last) }))
			pid := w.expect("f")
			stopped := make(chan error)
			go func() { stopped <- w.stop(time.Minute) }()
			w.is("a", "stopping")
			unix.Kill(pid, unix.SIGKILL)
			pid = w.expect("f")
			if waits {
				unix.Kill(pid, unix.SIGKILL)
				w.logged("; restarting in 1s")
			}
			unix.Kill(stays, unix.SIGKILL)
			if waits {
				w.expect("f")
			}
			w.expect("f:last")
			w.expect("f:end")
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		})
	}
}

// issue 9.6: one that does not read, or does not end, is in nobody's way, and ends with the stop
func TestFeedThatHangs(t *testing.T) {
	for name, script := range map[string]string{"does not read": hold,
		"nor ends": `trap "" TERM; while :; do sleep 1000; done`} {
		for _, budget := range []time.Duration{0, time.Minute} {
			t.Run(fmt.Sprint(name, budget), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, supervise.Options{})
				failed := make(chan error, 1)
				w.set.Feed(w.feed("f", script, func(_ context.Context, to *os.File) {
					_, err := to.Write(make([]byte, 1<<20))
					failed <- err
				}, func() {}))
				pid := w.expect("f")
				w.apply(w.program("a", announce+"exit 1"))
				for range 3 {
					w.expect("a")
				}
				if err := w.stop(budget); err != nil {
					t.Error(err)
				}
				gone(t, pid)
				if <-failed == nil {
					t.Error("it has read all")
				}
			})
		}
	}
}

// issue 9.6: one that is not wanted any more ends, and one that cannot be started is tried again
func TestFeedComesAndGoes(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	serve := func(ctx context.Context, _ *os.File) { <-ctx.Done() }
	w.set.Feed(&supervise.Feed{Command: []string{"/no/such"}, Serve: serve, Last: func() {}})
	w.logged("events command: cannot be started: /no/such: no such file or directory; restarting in 1s (2 times in a row)")
	w.set.Feed(w.feed("f", reads, serve, func() {}))
	w.expect("f")
	w.set.Feed(nil)
	w.expect("f:end")
	w.set.Feed(w.feed("f", hold, serve, func() {}))
	pid := w.expect("f")
	w.set.Feed(nil)
	gone(t, pid)
}

// issue 9.6: what StatusAt returns is what the events before its moment say
func TestStatusAt(t *testing.T) {
	told, n := map[string]string{}, 0 // the Set's goroutine has them
	more := make(chan bool, 1)
	w := newWorld(t, supervise.Options{Event: func(e supervise.Event) {
		told[e.Program], n = e.To, n+1
		select {
		case more <- true:
		default:
		}
	}})
	var programs []supervise.Program
	for i := range 20 {
		programs = append(programs, w.program(fmt.Sprint("p", i), "exit 1", func(p *supervise.Program) {
			p.Backoff = &supervise.Backoff{Min: 200 * time.Millisecond, Max: 200 * time.Millisecond}
		}))
	}
	w.apply(programs...)
	for seen := 0; seen < 300; {
		<-more
		then := map[string]string{}
		for _, p := range w.set.StatusAt(func() {
			seen = n
			for name, state := range told {
				then[name] = state
			}
		}) {
			if p.State != then[p.Name] {
				t.Fatalf("%s is %s, and the last that was told is %s", p.Name, p.State, then[p.Name])
			}
		}
	}
	if w.stop(time.Minute); w.set.StatusAt(func() { t.Error("it is called after the stop") }) != nil {
		t.Error("there are programs after the stop")
	}
}
