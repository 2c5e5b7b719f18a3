package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promise Q1: who asks about a program during a stop is told of the stop, and not that there never was such a program;
// and what ended the shutdown command before its time is told as what it was
func TestWhatIsToldDuringAStop(t *testing.T) {
	w := newWorld(t, "")
	w.inForce("1h", oneProgram+`
[shutdown]
command = ["/bin/sh", "-c", "trap '' TERM; echo >$DIR/there; exec tail -f /dev/null"]
timeout = "50m"
`)
	d := w.up()
	unix.Kill(d.pid, unix.SIGTERM)
	w.await(filepath.Join(w.dir, "there"), `\n`)
	for _, verb := range []string{
		"up", "down", "restart", "restart --together", "signal HUP", "logs", "events", "status",
	} {
		c := w.command(append(strings.Fields(verb), "one")...)
		var out strings.Builder
		c.Stdout = &out
		status, stderr := w.finish(c)
		said, want := stderr+out.String(), failure
		if verb == "status" {
			want = statusUnknown
		}
		if status != want || !strings.Contains(said, "is stopping") {
			t.Errorf("%s one: status %d, %q", verb, status, said)
		}
	}
	unix.Kill(d.pid, unix.SIGTERM)
	w.await(w.log, `stop: shutdown: /bin/sh: killed by the end of the stop"`)
}

// promise Q1: restart is refused while the daemon starts, and is no success because there is nothing to be restarted
// yet
func TestRestartDuringAStart(t *testing.T) {
	w := newWorld(t, oneProgram+`
[startup]
command = ["/bin/sh", "-c", "echo >$DIR/there; until test -e $DIR/go; do sleep 0.01; done"]
timeout = "60s"
`)
	started := make(chan int)
	go func() {
		status, _ := w.finish(w.command())
		started <- status
	}()
	w.await(filepath.Join(w.dir, "there"), `\n`)
	for _, verb := range []string{"restart", "up"} {
		if status, stderr := w.run(verb, "one"); status != failure || !strings.Contains(stderr, "it is starting: ask again") {
			t.Errorf("%s one: status %d, %q", verb, status, stderr)
		}
	}
	if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if status := <-started; status != 0 {
		t.Errorf("status %d", status)
	}
	w.down(w.daemon())
}

// promise T5: a stop that is asked for twice is one stop, in which programs have their time; a second signal is what
// ends that
func TestTwoStops(t *testing.T) {
	w := newWorld(t, "")
	w.inForce("1h", `
[program.slow]
command = ["/bin/sh", "-c", "trap 'echo >$DIR/asked; until test -e $DIR/go; do sleep 0.01; done; echo >$DIR/clean; exit' TERM; echo >$DIR/there; while :; do sleep 0.01; done"]
stop_timeout = "50m"
`)
	w.up()
	w.await(filepath.Join(w.dir, "there"), `\n`)
	stopped := make(chan int, 2)
	stop := func() {
		status, _ := w.finish(w.command("stop"))
		stopped <- status
	}
	go stop()
	w.await(filepath.Join(w.dir, "asked"), `\n`)
	go stop()
	// While this is asked, the second comes to ask too.
	for i, enough := 0, time.Now().Add(patience/4); i < 20 && time.Now().Before(enough); i++ {
		w.run("status")
	}
	if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if status := <-stopped; status != 0 {
			t.Errorf("status %d", status)
		}
	}
	w.await(filepath.Join(w.dir, "clean"), `\n`)
	if log := w.read(w.log); strings.Contains(log, "stopping now") {
		t.Errorf("the second has ended the waiting of the first:\n%s", log)
	}
}
