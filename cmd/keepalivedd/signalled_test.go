package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/control"
)

// promise O1: a signal is meant as in kill(1), whoever asks for it and in whatever way
func TestSignalsAreMeantAsInKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t,
		"[program.one]\ncommand = [\"/bin/sh\", \"-c\", \"echo $$ >$DIR/pid.one; exec tail -f $DIR/pid.one\"]\n")
	d := w.up()
	w.await(filepath.Join(w.dir, "pid.one"), `^\d+$`)
	pid, _ := strconv.Atoi(strings.TrimSpace(w.read(filepath.Join(w.dir, "pid.one"))))
	one, err := hold(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer one.close()
	ask := func(sig string) error {
		var a operateAnswer
		q := operateParams{Programs: []string{"one"}, Signal: sig}
		err := control.Ask(t.Context(), control.Path(w.pidfile), "signal", q, &a)
		if err == nil && (len(a.Programs) != 1 || !a.Programs[0].Done) {
			t.Errorf("%s: %+v", sig, a.Programs)
		}
		return err
	}
	for _, signals := range [][2]string{{"STOP", "CONT"}, {"SIGSTOP", "sigcont"}, {"stop", "18"}, {"19", "CONT"}} {
		if err := ask(signals[0]); err != nil {
			t.Fatal(err)
		}
		awaitStopped(t, one, true)
		if err := ask(signals[1]); err != nil {
			t.Fatal(err)
		}
		awaitStopped(t, one, false)
	}
	if status, stdout := w.say("signal", "STOP", "one"); status != 0 {
		t.Errorf("%d, %q", status, stdout)
	}
	awaitStopped(t, one, true)
	if status, stdout := w.say("signal", "CONT", "one"); status != 0 {
		t.Errorf("%d, %q", status, stdout)
	}
	awaitStopped(t, one, false)
	for _, sig := range []string{"RELOAD", "DATA", "", "SIG", "0", "65", "NOPE"} {
		var told *control.Error
		if err := ask(sig); !errors.As(err, &told) || told.Code != control.CodeParams ||
			strings.Contains(told.Message, "RELOAD, DATA") {
			t.Errorf("%q: %v", sig, err)
		}
	}
	w.down(d)
}

// awaitStopped waits until the process is stopped by a signal, or goes on.
func awaitStopped(t *testing.T, p *process, stopped bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/stat")
		state := string(b[strings.LastIndex(string(b), ")")+1:])
		if err == nil && strings.HasPrefix(state, " T") == stopped && !p.ends(0) {
			return
		}
		if ctx.Err() != nil || p.ends(0) {
			t.Fatalf("stopped: it should be %v, and is %q, %v", stopped, state, err)
		}
		runtime.Gosched()
	}
}
