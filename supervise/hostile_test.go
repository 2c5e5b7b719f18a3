package supervise_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// A program that forks and exits: its end is the end of the group, and it is started again.
func TestForksAndExits(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	if err := unix.Mkfifo(w.fifo+".go", 0o600); err != nil {
		t.Fatal(err)
	}
	w.apply(w.program("a", `NAME=child sh -c '`+announce+hold+`' & read x <"$FIFO.go"; `+announce+`exit 0`,
		func(p *supervise.Program) { p.Restart = supervise.Never }))
	child := w.expect("child")
	go os.WriteFile(w.fifo+".go", []byte("go\n"), 0)
	w.logged("program a: exited with status")
	gone(t, child)
}

// A program that leaves its group: with Orphans it does not outlive the Set.
func TestLeavesItsGroup(t *testing.T) {
	w := newWorld(t, supervise.Options{Orphans: true})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	w.apply(w.program("a", `NAME=stray setsid sh -c '`+announce+hold+`' & `+announce+hold))
	pids := map[string]int{}
	for range 2 {
		name, pid := w.next()
		pids[name] = pid
	}
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	gone(t, pids["stray"])
	gone(t, pids["a"])
}

// Orphans are reaped, and others' children are not taken for them by a Set without Orphans.
func TestOrphansAreReaped(t *testing.T) {
	w := newWorld(t, supervise.Options{Orphans: true})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	w.apply(w.program("a", `(setsid sh -c 'NAME=orphan; `+announce+`' &); `+announce+hold))
	pids := map[string]int{}
	for range 2 {
		name, pid := w.next()
		pids[name] = pid
	}
	for i := 0; ; i++ { // its end is reaped in a moment, and then it is nobody
		if unix.Kill(pids["orphan"], 0) != nil {
			break
		}
		if i == 1_000_000 {
			t.Fatal("the orphan is still there")
		}
	}
}

// The executable goes away while the program runs, and comes back: a line in the log, and no crash.
func TestExecutableGoesAndComesBack(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	script := filepath.Join(t.TempDir(), "script")
	put := func() {
		if err := os.WriteFile(script, []byte("#!/bin/sh\n"+announce+hold+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put()
	w.apply(w.program("a", "", func(p *supervise.Program) {
		p.Command = []string{script}
		p.Backoff = &supervise.Backoff{Min: 10 * time.Millisecond, Max: 10 * time.Millisecond}
	}))
	pid := w.expect("a")
	os.Rename(script, script+".away")
	unix.Kill(pid, unix.SIGKILL)
	w.logged("program a: cannot be started: " + script + ": no such file or directory")
	os.Rename(script+".away", script)
	w.expect("a")
}

// A frozen process does not die of KILL until it is thawed: the stop gives up in time and says so, and nothing is lost.
func TestFrozen(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it freezes a cgroup")
	}
	dir := t.TempDir()
	if err := unix.Mount("cgroup", dir, "cgroup", 0, "freezer"); err != nil {
		t.Skip("no v1 freezer here: ", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	group := filepath.Join(dir, "keepalivedd-test-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(group)
	set := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(group, file), []byte(text), 0); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+hold))
	pid := w.expect("a")
	set("cgroup.procs", strconv.Itoa(pid))
	set("freezer.state", "FROZEN")
	for {
		b, _ := os.ReadFile(filepath.Join(group, "freezer.state"))
		if string(b) == "FROZEN\n" {
			break
		}
	}
	err := w.stop(50 * time.Millisecond)
	set("freezer.state", "THAWED")
	gone(t, pid)
	if want := "even KILL has not ended program a (pid " + strconv.Itoa(pid) + ")"; err == nil || err.Error() != want {
		t.Errorf("Stop: %v, want %q", err, want)
	}
}
