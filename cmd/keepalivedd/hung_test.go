package main

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/daemon"
)

// hang has everybody wait who opens or executes a file, as on a disk that is gone: a lease, fcntl(2), that is not given
// up when it is asked for. After 45 s (fs.lease-break-time) the kernel takes it back.
func hang(t *testing.T, path string) (goOn func()) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("no leases here: %v", err)
	}
	return func() { f.Close() }
}

// hangs is a configuration in which the executable of one program hangs.
const hangs = oneProgram + `
[program.hung]
command = ["$DIR/hung"]
restart_delay = { min = "100ms", max = "200ms" }
`

// withHung has a daemon launch a program whose executable hangs, in the course of a reload, and returns once it does.
func withHung(t *testing.T) (w *world, d *process, goOn func(), reloaded chan int) {
	t.Helper()
	w = newWorld(t, oneProgram)
	d = w.startWithScore("200")
	path := filepath.Join(w.dir, "hung")
	if err := writeExecutable(path, []byte("#!/bin/sh\necho >>$0.runs; exec tail -f $0.runs\n")); err != nil {
		t.Fatal(err)
	}
	goOn = hang(t, path)
	w.configure(hangs)
	reloaded = make(chan int, 1)
	go func() {
		status, _ := w.finish(w.command("reload"))
		reloaded <- status
	}()
	w.await(w.log, `programs: \+hung`)
	for !onItsWay(d.pid) {
		runtime.Gosched()
	}
	return w, d, goOn, reloaded
}

// onItsWay reports whether a process has a child that is not its executable yet: it still is what its parent is.
func onItsWay(pid int) bool {
	children, _ := os.ReadFile("/proc/" + itoa(pid) + "/task/" + itoa(pid) + "/children")
	own, _ := os.Readlink("/proc/" + itoa(pid) + "/exe")
	for child := range strings.FieldsSeq(string(children)) {
		if exe, err := os.Readlink("/proc/" + child + "/exe"); err == nil && exe == own {
			return true
		}
	}
	return false
}

// promise C6: an exec that hangs, of a real process, holds up no answer and no death; after 10 s it is that program's
// failure, and the launches behind it go on
func TestExecThatHangs(t *testing.T) {
	t.Parallel()
	w, d, goOn, reloaded := withHung(t)
	if status, out := w.say("status", "one"); status != 0 || !strings.Contains(out, "up") {
		t.Errorf("status of another: %d, %s", status, out)
	}
	if status, out := w.say("status"); status != statusPartly || !strings.Contains(out, "starting") {
		t.Errorf("status: %d, %s", status, out)
	}
	for own := score(t); d.score() != own; { // the child has its own by then
		runtime.Gosched()
	}
	w.killOne()
	w.await(w.log, `program one: killed by SIGKILL after`)
	if !onItsWay(d.pid) && !regexp.MustCompile(`not executed after`).MatchString(w.read(w.log)) {
		t.Error("it does not hang any more")
	}
	w.await(w.log, `program hung: cannot be started: .*/hung: not executed after 10s; restarting`)
	if status := <-reloaded; status != 0 {
		t.Errorf("reload: %d; the log:\n%s", status, w.read(w.log))
	}
	if err := await(filepath.Join(w.dir, "up"), regexp.MustCompile("(?m)^up$"), 2); err != nil {
		t.Error(err)
	}
	goOn()
	w.await(filepath.Join(w.dir, "hung.runs"), `^$`)
	w.down(d)
}

// killOne kills the process of program one.
func (w *world) killOne() {
	w.t.Helper()
	for _, p := range processes(w.dir) {
		if strings.HasPrefix(p.String(), "tail -f "+filepath.Join(w.dir, "up")) {
			p.signal(w.t, unix.SIGKILL)
		}
		p.close()
	}
}

// promise C6, T1: a stop comes to its end while an exec hangs
func TestStopWhileAnExecHangs(t *testing.T) {
	t.Parallel()
	w, d, _, _ := withHung(t)
	w.down(d)
}

// promise A2: a daemon whose main thread waits for an exec that hangs leaves a word of why it died,
// and the status of that
func TestCrashWhileAnExecHangs(t *testing.T) {
	t.Parallel()
	w, d, _, _ := withHung(t)
	d.signal(t, unix.SIGQUIT)
	if status := d.wait(t); status != 2 {
		t.Errorf("it ended with %d", status)
	}
	if text := w.read(daemon.CrashFile(w.pidfile)); !strings.Contains(text, "SIGQUIT: quit") ||
		!strings.Contains(text, "supervise.(*loop).run") {
		t.Errorf("the crash file says %q", text)
	}
	w.nobody()
	w.configure(oneProgram)
	if status, stderr := w.run(); status != 0 {
		t.Fatalf("start: %d, %s", status, stderr)
	}
	d = w.daemon()
	w.await(w.log, `the previous daemon crashed: SIGQUIT: quit`)
	w.down(d)
}

// promise C6, S5: a startup command whose executable hangs holds up nobody but the start, which it fails; a shutdown
// command delays the stop for no longer than its time
func TestHookThatHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneProgram)
	path := filepath.Join(w.dir, "hung")
	if err := writeExecutable(path, []byte("#!/bin/sh\n")); err != nil {
		t.Fatal(err)
	}
	hang(t, path)
	w.configure(`
[startup]
command = ["$DIR/hung"]
timeout = "2s"
` + oneProgram)
	if status, stderr := w.run(); status != failure ||
		!strings.Contains(stderr, "startup: "+path+": not executed after 2s") {
		t.Errorf("start: %d, %s", status, stderr)
	}
	w.empty()
	w.configure(`
[shutdown]
command = ["$DIR/hung"]
timeout = "2s"
` + oneProgram)
	d := w.up()
	d.signal(t, unix.SIGTERM)
	for !onItsWay(d.pid) {
		runtime.Gosched()
	}
	// Where it has ended by now, who asked was slower than the command's time.
	if status, out := w.say("status"); !d.ends(0) && (status == 0 || !strings.Contains(out, "stopping")) {
		t.Errorf("status: %d, %s", status, out)
	}
	if status := d.wait(t); status != failure {
		t.Errorf("it ended with %d", status)
	}
	w.await(w.log, `shutdown: .*/hung: not executed after 2s`)
	w.empty()
}
