package supervise_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// told is what a hook was told.
type told struct {
	was, now, status string
	count, skipped   int
}

// tells is a hook that announces what it is told, and then does more.
func tells(more string) func(*supervise.Program) {
	return func(p *supervise.Program) {
		p.Hook = &supervise.Hook{Timeout: time.Minute, Command: []string{"/bin/sh", "-c",
			`echo "hook:$OLD_STATE:$NEW_STATE:$COUNT:$SKIPPED:$STATUS" >"$FIFO"; ` + more}}
	}
}

// told returns what the next hook was told, and how many programs have announced themselves before.
func (w *world) told() (c told, others int) {
	w.t.Helper()
	for {
		line, err := w.events.ReadString('\n')
		if err != nil {
			w.t.Fatal(err)
		}
		part := strings.SplitN(strings.TrimSpace(line), ":", 6)
		if part[0] != "hook" {
			others++
			continue
		}
		c = told{was: part[1], now: part[2], status: part[5]}
		c.count, _ = strconv.Atoi(part[3])
		if c.skipped, err = strconv.Atoi(part[4]); err != nil {
			w.t.Fatalf("%q", line)
		}
		return c, others
	}
}

// issue 3.7: in order, one at a time; what happens meanwhile is told in one
func TestHook(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", "exit 3", func(p *supervise.Program) { p.Restart = supervise.Never }, tells("")))
	last, changes := told{now: "down"}, 0
	for last.now != "failed" {
		c, _ := w.told()
		if c.was != last.now {
			t.Errorf("it is told of a change from %s, but knew of %s", c.was, last.now)
		}
		changes += 1 + c.skipped
		last = c
	}
	if changes != 4 { // blocked, starting, up, failed
		t.Errorf("it was told of %d changes", changes)
	}
	if last.count != 1 || last.status != "exited with status 3" {
		t.Errorf("%+v", last)
	}
}

// issue 3.7: a fault that is the last is told as well
func TestHookOfALastFault(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", hold, func(p *supervise.Program) {
		p.Restart = supervise.Never
		p.Check = &supervise.Check{Command: []string{"/bin/false"}, Timeout: 10 * time.Second}
	}, tells("")))
	changes := 0
	for {
		c, _ := w.told()
		if changes += 1 + c.skipped; c.now == "failed" {
			break
		}
	}
	if changes != 6 { // blocked, starting, up, stopping, down, failed
		t.Errorf("it was told of %d changes", changes)
	}
}

// issue 7.B4: a slow hook is told the latest, and what it has missed; the stop does not wait for what is left
func TestSlowHook(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	wait := w.fifo + ".go"
	if err := unix.Mkfifo(wait, 0o666); err != nil {
		t.Fatal(err)
	}
	w.apply(w.program("a", announce+"exit 1", func(p *supervise.Program) {
		p.Backoff = &supervise.Backoff{Min: time.Millisecond, Max: time.Millisecond}
	}, tells(`read go <"$FIFO.go"`)))
	first, _ := w.told()
	if first != (told{was: "down", now: "blocked"}) {
		t.Errorf("%+v", first)
	}
	const starts = 20
	for range starts {
		w.next()
	}
	if err := os.WriteFile(wait, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	second, _ := w.told() // the last may not be up yet, and was not counted when its turn to start had come
	if second.was != "blocked" || second.count < starts-1 || second.skipped < 3*(starts-1) {
		t.Errorf("after %d starts: %+v", starts, second)
	}
	for range starts {
		w.next()
	}
	stopped := make(chan error)
	go func() { stopped <- w.stop(time.Minute) }()
	for len(w.set.Status()) > 0 { // it may be between two processes, which no line of the log tells
	}
	if err := os.WriteFile(wait, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	w.logged("program a: its on_change hook is not told of the last changes")
	if err := os.WriteFile(w.fifo, []byte("end 0\n"), 0); err != nil {
		t.Fatal(err)
	}
	for name, _ := w.next(); name != "end"; name, _ = w.next() {
		if strings.HasPrefix(name, "hook") {
			t.Errorf("told at the end: %s", name)
		}
	}
}

// issue 3.7: a hook that hangs or fails blocks nobody
func TestHungHook(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+hold, func(p *supervise.Program) {
		p.Hook = &supervise.Hook{Command: []string{"/bin/sleep", "1000"}, Timeout: 20 * time.Millisecond}
	}))
	w.expect("a")
	w.logged("its on_change hook failed")
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
}
