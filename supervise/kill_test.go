package supervise_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// promise T4: of a program with KillProcess only the main process is signalled, whatever happens to it
func TestKillProcess(t *testing.T) {
	w := newWorld(t, supervise.Options{Orphans: true, Mark: "SUPERVISE_TEST=kill-process"})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	script := `NAME=child sh -c '` + announce + hold + `' & NAME=session setsid env -i FIFO="$FIFO" NAME=session sh -c '` +
		announce + hold + `' & ` + announce
	listener := w.program("listener", script+hold, func(p *supervise.Program) { p.Kill = supervise.KillProcess })
	w.apply(listener)
	first := w.collect(3)
	unix.Kill(first["listener"], unix.SIGKILL)
	second := w.collect(3) // its restart
	stubborn := w.program("listener", script+`trap "" TERM; NAME=stubborn; `+announce+hold, func(p *supervise.Program) {
		p.Kill, p.StopTimeout = supervise.KillProcess, 50*time.Millisecond
	})
	w.apply(stubborn) // a reload
	gone(t, second["listener"])
	third := w.collect(4)
	w.apply() // its removal
	gone(t, third["listener"])
	w.logged("still runs 50ms after SIGTERM: killed")
	w.apply(listener)
	fourth := w.collect(3)
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	gone(t, fourth["listener"])
	for i, pids := range []map[string]int{first, second, third, fourth} {
		for _, name := range []string{"child", "session"} {
			lives(t, fmt.Sprint(name, " ", i+1), pids[name])
		}
	}
}

// promise T4: the main process dies with this process all the same
func TestKillProcessDiesWithTheDaemon(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	mark := "SUPERVISE_TEST=" + w.fifo
	leave := func(name string) string {
		return `NAME=` + name + ` setsid sh -c '` + announce + hold + `' & ` + announce + hold
	}
	c := w.role("daemon", "ROLE_MARK="+mark, "ROLE_GROUP="+leave("grouped"), "ROLE_PROCESS="+leave("session"))
	w.begin(c)
	pids := w.collect(4)
	c.Process.Kill()
	c.Wait()
	gone(t, pids["group"])
	gone(t, pids["process"])
	ended := supervise.EndLeftovers(mark)
	if !slices.Equal(ended, []int{pids["grouped"]}) {
		t.Errorf("ended %v of %v", ended, pids)
	}
	lives(t, "session", pids["session"])
}

// promise T4: whoever has left its group gets TERM, the rest of the budget, and then KILL
func TestStrays(t *testing.T) {
	polite := func(name string) string {
		return `NAME=` + name + ` setsid env -i FIFO="$FIFO" NAME=` + name +
			` sh -c 'trap "echo $NAME-ended 0 >\"$FIFO\"; exit" TERM; ` + announce + `while :; do sleep 1000 & wait; done' & `
	}
	t.Run("TERM", func(t *testing.T) {
		w := newWorld(t, supervise.Options{Orphans: true})
		defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
		w.apply(w.program("a", polite("one")+announce+hold))
		pids := w.collect(2)
		if err := w.stop(20 * time.Second); err != nil {
			t.Error(err)
		}
		w.expect("one-ended")
		gone(t, pids["one"])
	})
	t.Run("a stopped one", func(t *testing.T) {
		w := newWorld(t, supervise.Options{Orphans: true})
		defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
		w.apply(w.program("a", polite("one")+announce+hold))
		pids := w.collect(2)
		unix.Kill(pids["one"], unix.SIGSTOP)
		if err := w.stop(20 * time.Second); err != nil {
			t.Error(err)
		}
		w.expect("one-ended")
	})
	t.Run("after a program that takes all the time", func(t *testing.T) {
		w := newWorld(t, supervise.Options{Orphans: true})
		defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
		w.apply(w.program("a", polite("one")+stubborn))
		pids := w.collect(2)
		if err := w.stop(50 * time.Millisecond); err != nil {
			t.Error(err)
		}
		w.logged("asked to end") // whether there is time for that, nobody can promise
		gone(t, pids["one"])
	})
	t.Run("a script that has other commands each time", func(t *testing.T) {
		w := newWorld(t, supervise.Options{Orphans: true})
		defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
		w.apply(w.program("a", `trap "" TERM; NAME=one setsid sh -c '`+announce+
			`while :; do sleep 1 & sleep 0.05; done' & `+stubborn))
		pids := w.collect(2)
		defer unix.Kill(pids["one"], unix.SIGKILL)
		if err := w.stop(50 * time.Millisecond); err != nil {
			t.Error(err)
		}
		gone(t, pids["one"])
	})
	t.Run("below another", func(t *testing.T) {
		w := newWorld(t, supervise.Options{Orphans: true})
		defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
		w.apply(w.program("a", `NAME=above setsid sh -c 'trap : TERM; `+
			strings.ReplaceAll(polite("below"), "'", `'\''`)+announce+`wait; wait' & `+announce+hold))
		pids := w.collect(3)
		if err := w.stop(20 * time.Second); err != nil {
			t.Error(err)
		}
		w.expect("below-ended")
		gone(t, pids["above"])
	})
	t.Run("KILL", func(t *testing.T) {
		w := newWorld(t, supervise.Options{Orphans: true})
		defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
		w.apply(w.program("a", `NAME=stray setsid sh -c '`+stubborn+`' & `+announce+hold))
		pids := w.collect(2)
		began := time.Now()
		if err := w.stop(time.Second); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d < 500*time.Millisecond {
			t.Errorf("it was killed after %v", d)
		}
		gone(t, pids["stray"])
		w.logged("killed")
	})
}

// promise T1: the whole group, where its only member left has a parent that went away with setsid and lives: no child
// of ours is in the group then. issue 8.9
func TestGroupBelowAStray(t *testing.T) {
	python := find(t, "python3")
	w := newWorld(t, supervise.Options{Orphans: true})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	w.apply(w.program("a", python+` -c '
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
name = "stray" if os.fork() else "member"
if name == "stray": os.setsid()
open(os.environ["FIFO"], "w").write(name + " " + str(os.getpid()) + "\n")
while True: signal.pause()' & `+announce+hold))
	first := w.collect(3)
	unix.Kill(first["a"], unix.SIGKILL)
	second := w.collect(3)
	gone(t, first["member"])
	if err := w.stop(5 * time.Second); err != nil {
		t.Error(err)
	}
	for _, pids := range []map[string]int{first, second} {
		gone(t, pids["member"])
		gone(t, pids["stray"])
	}
}

// promise T4: what nobody would end but PID 1 ends with it, and gets TERM before
func TestStraysOfPID1(t *testing.T) {
	if err := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "true").Run(); err != nil {
		t.Skip("needs root and unshare: it makes a PID namespace: ", err)
	}
	w := newWorld(t, supervise.Options{})
	c := w.role("init",
		`ROLE_PROCESS=setsid env -i FIFO="$FIFO" NAME=session sh -c 'trap "echo $NAME-ended 0 >\"$FIFO\"; exit" TERM; `+
			announce+`while :; do sleep 1000 & wait; done' & `+announce+hold)
	c.Args = []string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", c.Path}
	c.Path, _ = exec.LookPath("unshare")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.begin(c)
	w.collect(2)
	stdin.Close()
	w.expect("session-ended")
}

// promise T4: who can be told is told, and whoever cannot is spared when a program may have wanted that
func TestWhoseTheyAre(t *testing.T) {
	leave := func(name, how string) string {
		return how + ` FIFO="$FIFO" NAME=` + name + ` sh -c '` + announce + hold + `' & `
	}
	w := newWorld(t, supervise.Options{Orphans: true, Mark: "SUPERVISE_TEST=whose"})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	w.apply(
		w.program("group", leave("marked", "setsid env")+leave("cleared", "setsid env -i")+"("+
			leave("escaped", "setsid env -i")+"); "+announce+hold),
		w.program("process", leave("inherits", "setsid env")+leave("session", "setsid env -i")+announce+hold,
			func(p *supervise.Program) { p.Kill = supervise.KillProcess }))
	pids := w.collect(7)
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"group", "process", "marked", "cleared"} {
		gone(t, pids[name])
	}
	for _, name := range []string{"inherits", "session", "escaped"} {
		lives(t, name, pids[name])
	}
	if line := w.logged("cannot be told"); !strings.Contains(line, fmt.Sprint(pids["escaped"])) ||
		strings.Contains(line, fmt.Sprint(pids["session"])) {
		t.Errorf("%q, of %v", line, pids)
	}
}

// promise T4: a program that is told to be left alone was started before: its sessions carry the mark
func TestKillIsChanged(t *testing.T) {
	w := newWorld(t, supervise.Options{Orphans: true, Mark: "SUPERVISE_TEST=changed"})
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	script := `NAME=session setsid sh -c '` + announce + hold + `' & ` + announce + hold
	w.apply(w.program("a", script))
	first := w.collect(2)
	w.apply(w.program("a", announce+hold, func(p *supervise.Program) { p.Kill = supervise.KillProcess }))
	w.expect("a")
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	lives(t, "session", first["session"])
}

// promise T4: whoever asks for the stop, and its ancestors, are spared, in the group of a program and out of it
//
// issue 7.B1: and out of it who shares the asker's session, which may read what it writes
func TestSpare(t *testing.T) {
	for name, leave := range map[string]string{"in the group": "env", "out of it": "setsid env -i"} {
		t.Run(name, func(t *testing.T) {
			asker := 0
			w := newWorld(t, supervise.Options{Orphans: true, Spare: func() []int { return []int{asker} }})
			defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
			w.apply(w.program("a",
				leave+` FIFO="$FIFO" ASKER="$ASKER" sh -c 'NAME=mate sh -c "$ASKER" & NAME=asker sh -c "$ASKER" & NAME=script; `+
					announce+`wait' & NAME=elsewhere setsid sh -c "$ASKER" & NAME=stubborn sh -c '`+stubborn+`' & `+announce+`wait`,
				func(p *supervise.Program) { p.Environment["ASKER"] = announce + hold }))
			pids := w.collect(6)
			asker = pids["asker"]
			if err := w.stop(20 * time.Second); err != nil {
				t.Error(err)
			}
			for _, name := range []string{"a", "stubborn", "elsewhere"} {
				gone(t, pids[name])
			}
			lives(t, "asker", asker)
			lives(t, "script", pids["script"])
			if name == "out of it" {
				lives(t, "mate", pids["mate"])
			} else {
				gone(t, pids["mate"])
			}
		})
	}
}

// promise T4: the script that starts us, and all above it, though the dead daemon's program has started them
func TestEndLeftoversSparesAncestors(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	mark := "SUPERVISE_TEST=" + w.fifo
	c := w.role("start", "ROLE_MARK="+mark, mark)
	there := filepath.Join(t.TempDir(), "there")
	inner := exec.Command("/bin/sh", "-c",
		`NAME=other sh -c '`+announce+`: >"$THERE"; `+hold+`' & until test -e "$THERE"; do sleep 0.01; done
		sh -c 'sh -c "\"$0\"; echo inner" "$0"; echo middle' "$0"; echo outer`,
		c.Path)
	inner.Env = append(c.Env, "THERE="+there)
	out, err := inner.Output()
	other := w.expect("other")
	t.Cleanup(func() { unix.Kill(other, unix.SIGKILL) })
	gone(t, other)
	if want := fmt.Sprintf("[%d]\ninner\nmiddle\nouter\n", other); err != nil || string(out) != want {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
}

// promise T4: a container has a daemon of the same pidfile, and so of the same mark; its programs are not ours to end
func TestEndLeftoversSparesContainers(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	mark := "SUPERVISE_TEST=" + w.fifo
	root := t.TempDir()
	inside := `set -e; mount -t tmpfs none "$0"; cd "$0"; for d in /*; do
		if test -L "$d"; then cp -P "$d" ".$d"; elif test -d "$d"; then mkdir ".$d"; mount --rbind "$d" ".$d"; fi; done; exec chroot . "$@"`
	if out, err := exec.Command("unshare", "-m", "/bin/sh", "-c", inside, root, "/bin/true").CombinedOutput(); err != nil {
		t.Skipf("needs root and unshare: it makes a mount namespace: %v: %s", err, out)
	}
	pids := map[string]int{}
	for name, argv := range map[string][]string{
		"container": {"unshare", "-m", "/bin/sh", "-c", inside, root, "/bin/sh", "-c", announce + hold},
		"unshared":  {"unshare", "-m", "/bin/sh", "-c", announce + hold},
		"plain":     {"/bin/sh", "-c", announce + hold},
	} {
		c := exec.Command(argv[0], argv[1:]...)
		c.Env = append(os.Environ(), "FIFO="+w.fifo, "NAME="+name, mark)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Process.Kill(); c.Wait() })
		pids[name] = w.expect(name)
	}
	want := []int{pids["unshared"], pids["plain"]}
	slices.Sort(want)
	ended := supervise.EndLeftovers(mark)
	slices.Sort(ended)
	if !slices.Equal(ended, want) {
		t.Errorf("ended %v of %v", ended, pids)
	}
	lives(t, "the container's", pids["container"])
}
