package main

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/control"
)

// promise C7: what a program says of itself is in the answer to status
func TestStatusTellsWhatIsSaid(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("needs python3, to send to the notify socket")
	}
	w := newWorld(t, `
[program.slow]
command = ["/usr/bin/env", "python3", "-c", """
import os, socket, time
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"STATUS=loading\\x1b[31m", "\\0" + os.environ["NOTIFY_SOCKET"][1:])
time.sleep(1000)"""]
ready = "notify"
`)
	if status, stderr := w.run(); status != 0 {
		t.Fatal(status, stderr)
	}
	p := w.daemon()
	var a state
	for end := time.Now().Add(time.Minute); len(a.Programs) == 0 || a.Programs[0].Text == ""; {
		if err := control.Ask(context.Background(), control.Path(w.pidfile), "status", nil, &a); err != nil ||
			time.Now().After(end) {
			t.Fatalf("%v, %+v", err, a)
		}
	}
	if a.Programs[0].Text != "loading?[31m" {
		t.Errorf("%+v", a.Programs[0])
	}
	if status, stdout := w.say("status"); status != 150 ||
		!strings.Contains(stdout, "\n    waits for its READY=1; it says: loading?[31m\n") {
		t.Errorf("status %d, %q", status, stdout)
	}
	w.down(p)
}

// promise Q2: whatever programs write, how they are is told, with a last line of each
func TestOutputBlindsNoStatus(t *testing.T) {
	t.Parallel()
	const programs = 60
	w := newWorld(t, `
[program.web]
instances = 60
command = ["/bin/sh", "-c", "head -c 70000 /dev/zero; echo; echo end; exec sleep 1000"]
`)
	d := w.up()
	for at, end := 0, time.Now().Add(time.Minute); at < programs; {
		var a state
		err := control.Ask(t.Context(), control.Path(w.pidfile), "status", statusParams{[]string{"web"}}, &a)
		if err != nil || len(a.Programs) != programs || time.Now().After(end) {
			t.Errorf("%v; the end of %d of %d programs was told", err, at, len(a.Programs))
			break
		}
		bytes := 0
		for at = 0; at < programs; at++ {
			output := a.Programs[at].Output
			bytes += len(strings.Join(output, ""))
			if n := len(output); n < 2 || output[n-1] != "end" {
				break
			}
		}
		if bytes > longestShown {
			t.Errorf("%d bytes", bytes)
			break
		}
	}
	w.down(d)
}
