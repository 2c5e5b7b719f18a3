package supervise_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// issue 8.4: what a process has written is read before its end is told, a half line included
func TestReadBeforeTheEndIsTold(t *testing.T) {
	open, lines := collector(false)
	w := newWorld(t, supervise.Options{Output: open})
	for range 20 {
		w.apply(w.program("a", `head -c 20000 /dev/zero | tr '\0' x; echo; printf 'the last'; exit 1`, logged,
			func(p *supervise.Program) { p.Restart = supervise.Never }))
		w.logged("program a: exited with status 1")
		text := ""
		for len(lines) > 0 {
			text += strings.TrimPrefix(<-lines, "out: ") + "\n"
		}
		if len(text) < 20000 || !strings.HasSuffix(text, "\nthe last\n") {
			t.Fatalf("%d bytes, want all", len(text))
		}
		w.apply()
		for text := range lines {
			if text == "closed" {
				break
			}
		}
	}
}

// issue 8.4: who has left a program with its output is read on, under its name, whatever becomes of the program; the
// stop does not wait for him
func TestSurvivorsOutput(t *testing.T) {
	open, lines := collector(false)
	w := newWorld(t, supervise.Options{Output: open})
	orders := w.fifo + ".go"
	if err := unix.Mkfifo(orders, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(orders, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	survivor := fmt.Sprintf(
		`setsid sh -c 'while read line <&3; do echo "$line"; test "$line" = end && exit; done' 3<%s & `, orders)
	w.apply(w.program("a", `if mkdir `+orders+`.d 2>/dev/null; then `+survivor+` fi; `+announce+hold, logged,
		func(p *supervise.Program) { p.Kill = supervise.KillProcess }))
	unix.Kill(w.expect("a"), unix.SIGKILL)
	unix.Kill(w.expect("a"), unix.SIGKILL)
	w.expect("a") // its restart has not waited
	say := func(line string) {
		t.Helper()
		fmt.Fprintln(f, line)
		if got := <-lines; got != "out: "+line {
			t.Errorf("%q, want %q", got, line)
		}
	}
	say("one")
	<-time.After(1500 * time.Millisecond) // longer than a pipe was once read on
	say("two")
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	if got := <-lines; got != "closed" {
		t.Errorf("%q, want it closed", got)
	}
	fmt.Fprintln(f, "end")
}

// issue 8.4, promise C4: programs that say nothing cost no goroutine
func TestNoGoroutineForEach(t *testing.T) {
	open, _ := collector(true)
	w := newWorld(t, supervise.Options{Output: open})
	before := runtime.NumGoroutine()
	var all []supervise.Program
	for i := range 50 {
		all = append(all, w.program(fmt.Sprint("p", i), announce+`echo >&3; exec sleep 1000000`, logged,
			func(p *supervise.Program) { p.Ready = &supervise.Ready{FD: 3, Notify: true, Timeout: time.Hour} }))
	}
	w.apply(all...)
	for range all {
		w.next()
	}
	if more := runtime.NumGoroutine() - before; more > 5 {
		t.Errorf("%d goroutines more for %d programs", more, len(all))
	}
}
