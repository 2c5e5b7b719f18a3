package main

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promise U2, issue 10: a fault in whatever system call of the taking over does no harm, leads back to the program
// before, or ends everything: nothing is left running that nobody knows of. A few are tried;
// KEEPALIVEDD_LONG tries every call of every kind.
func TestUpgradeWithFaults(t *testing.T) {
	needStrace(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := newFaulty(t, self)
	w.upgradeTraced("-e", "trace=all")
	calls := callsOf(w.read(w.trace))
	w.judge("no fault")
	if len(calls) < 20 {
		t.Fatalf("it has called but %v:\n%s", calls, w.read(w.trace))
	}
	names := []string{"openat", "fcntl", "fstat", "epoll_ctl", "ftruncate", "inotify_init1", "pwrite64", "clone", "clone3"}
	most := 1
	if long() {
		names, most = slices.Sorted(maps.Keys(calls)), 1000
	}
	for _, name := range names {
		for n := 1; n <= min(calls[name], most); n++ {
			what := fmt.Sprintf("inject=%s:error=%s:when=%d", name, errorOf(name), n)
			w.upgradeTraced("-e", "trace="+name, "-e", what)
			goesOn := w.judge(what)
			t.Logf("%s: it goes on: %v; upgrade: %d, %s", what, goesOn, w.status, w.said)
			if !goesOn {
				w = newFaulty(t, self)
			}
		}
	}
}

// promise U2: where the one has failed and the other cannot be executed the programs are asked to end
func TestUpgradeWithTwoFaults(t *testing.T) {
	needStrace(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := newFaulty(t, self)
	w.configure(`
[program.one]
command = ["/bin/sh", "-c", "trap 'echo $$ asked >>$DIR/asked; exit' TERM; echo $$ up >>$DIR/trapped; while :; do sleep 1000 & wait; done"]
`)
	if status, stderr := w.run("reload"); status != 0 {
		t.Fatal(stderr)
	}
	w.await(filepath.Join(w.dir, "trapped"), "up")
	first, _, _ := strings.Cut(w.read(filepath.Join(w.dir, "trapped")), " ")
	w.upgradeTraced("-e", "trace=openat")
	before, _, found := strings.Cut(w.read(w.trace), w.conf)
	if !w.judge("no fault") || !found {
		t.Fatalf("it has not read its configuration:\n%s", before)
	}
	fault := fmt.Sprintf("inject=openat:error=EIO:when=%d", strings.Count(before, " openat("))
	w.upgradeTraced("-e", "trace=openat", "-e", fault)
	if !w.judge("one fault") || !strings.Contains(w.said, "could not take over") {
		t.Fatalf("it was not rolled back: %s; the log:\n%s", w.said, w.read(w.log))
	}
	w.upgradeTraced("-e", "trace=openat,execve", "-e", fault, "-e", "inject=execve:error=ENOMEM:when=1")
	if w.judge("two faults") {
		t.Errorf("it goes on: %s", w.said)
	}
	if text := w.read(filepath.Join(w.dir, "asked")); !strings.HasPrefix(text, first+" asked\n") {
		t.Errorf("program %s was not asked to end: %q; the log:\n%s", first, text, w.read(w.log))
	}
}

// faulty is a world whose daemon is upgraded to this test's own binary, which can be traced from its main on.
type faulty struct {
	*world
	self, trace string
	daemon      *process
	status      int
	said        string // by the last upgrade
}

func newFaulty(t *testing.T, self string) *faulty {
	t.Helper()
	w := &faulty{world: newWorld(t, oneProgram), self: self}
	w.trace = filepath.Join(w.dir, "trace")
	w.failing("traced")
	if err := unix.Mkfifo(filepath.Join(w.dir, "go"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.daemon = w.up()
	w.await(filepath.Join(w.dir, "up"), "up")
	return w
}

// awaitTracer is for a program that is to take over: it says that it is there, and waits until somebody lets it go.
func awaitTracer(dir string) {
	const anybody = ^uintptr(0)
	unix.Prctl(unix.PR_SET_PTRACER, anybody, 0, 0, 0)
	from, _ := unix.Open(filepath.Join(dir, "go"), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if at, err := unix.Open(filepath.Join(dir, "at"), unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600); err == nil {
		unix.Write(at, []byte("here\n"))
		unix.Close(at)
	}
	unix.Read(from, make([]byte, 8))
	unix.Close(from)
}

// upgradeTraced upgrades to a program that strace has such a part in, from its main on.
func (w *faulty) upgradeTraced(part ...string) {
	w.t.Helper()
	at := filepath.Join(w.dir, "at")
	os.Remove(at)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		w.status, w.said = w.run("upgrade", "--binary", w.self)
	}()
	w.await(at, "here")
	c := exec.Command("strace",
		append([]string{"-f", "-o", w.trace, "-e", "signal=none", "-p", itoa(w.daemon.pid)}, part...)...)
	said, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	lines := bufio.NewReader(said)
	if line, err := lines.ReadString('\n'); !strings.Contains(line, "attached") {
		w.t.Skipf("strace cannot be attached here: %s, %v", line, err)
	}
	to, err := os.OpenFile(filepath.Join(w.dir, "go"), os.O_RDWR, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	defer to.Close()
	to.WriteString("go\n")
	<-asked
	c.Process.Signal(unix.SIGINT) // which lets go of the daemon
	if w.status != 0 && w.daemon.ends(time.Second) {
		c.Process.Kill() // it may wait for ever for the end that has come
	}
	defer time.AfterFunc(patience, func() { c.Process.Kill() }).Stop()
	lines.WriteTo(&bytes.Buffer{})
	c.Wait()
}

// judge reports whether the daemon goes on, with its program as it was. If not, there is nobody, and it can be started.
func (w *faulty) judge(what string) (goesOn bool) {
	w.t.Helper()
	wrong := func(format string, args ...any) {
		w.t.Helper()
		w.t.Errorf("%s: %s; upgrade: %d, %s; the log:\n%s", what, fmt.Sprintf(format, args...), w.status, w.said,
			w.read(w.log))
	}
	status, stderr := w.run("status")
	if status == 0 {
		if text := w.read(filepath.Join(w.dir, "up")); text != "up\n" {
			wrong("the program was started again: %q", text)
		}
		if w.status != 0 && w.status != 1 {
			wrong("the daemon goes on")
		}
		return true
	}
	if w.status == 0 {
		wrong("it has succeeded, and the daemon does not go on: status: %d, %s", status, stderr)
	}
	w.daemon.wait(w.t)
	w.nobody()
	if status, stderr := w.run(); status != 0 {
		wrong("the next start: %d, %s", status, stderr)
	}
	w.run("stop")
	return false
}

var oneCall = regexp.MustCompile(`(?m)^(\d+) +(\w+)\(`)

// callsOf says, for each system call of a trace that may fail, how often a thread has called it at most.
func callsOf(trace string) map[string]int {
	most, count := map[string]int{}, map[string]int{}
	for _, m := range oneCall.FindAllStringSubmatch(trace, -1) {
		if !slices.Contains([]string{"exit", "exit_group", "rt_sigreturn", "restart_syscall", "clock_gettime", "execve"},
			m[2]) {
			count[m[0]]++
			most[m[2]] = max(most[m[2]], count[m[0]])
		}
	}
	return most
}

// errorOf is one that the call may well have.
func errorOf(call string) string {
	switch call {
	case "openat", "fcntl", "dup", "dup3", "pipe2", "epoll_create1", "inotify_init1", "eventfd2", "memfd_create", "socket",
		"accept4":
		return "EMFILE"
	case "mmap", "madvise", "mprotect", "munmap", "epoll_ctl", "inotify_add_watch":
		return "ENOMEM"
	case "clone", "clone3":
		return "EAGAIN"
	}
	return "EIO"
}
