package main

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// promise Q1: a daemon that is stopped itself, and says nothing, keeps nobody waiting who would print what it says;
// that it could not be asked is said, and is never 0
func TestSilentDaemon(t *testing.T) {
	w := newWorld(t, oneProgram)
	d := w.up()
	d.signal(t, unix.SIGSTOP)
	type said struct {
		status int
		stderr string
	}
	all := map[string]chan said{}
	for _, verb := range []string{"events", "logs", "logs -f", "metrics"} {
		c := make(chan said, 1)
		all[verb] = c
		go func() {
			status, stderr := w.run(strings.Fields(verb)...)
			c <- said{status, stderr}
		}()
	}
	for verb, c := range all {
		if got := <-c; got.status != failure || !strings.Contains(got.stderr, "there was no answer in time") {
			t.Errorf("%s: %+v", verb, got)
		}
	}
	d.signal(t, unix.SIGCONT)
	if status, stderr := w.run("logs"); status != ok {
		t.Errorf("logs, once it goes on: %d, %s", status, stderr)
	}
	w.down(d)
}
