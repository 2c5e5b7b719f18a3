package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// promise C1
func TestRestart(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+hold))
	for _, then := range []string{"restarting now", "restarting in 1s (2 times in a row)"} {
		pid := w.expect("a")
		unix.Kill(pid, unix.SIGKILL)
		if line := w.logged("program a: killed by SIGKILL"); !strings.HasSuffix(line, then) {
			t.Errorf("%q does not end with %q", line, then)
		}
	}
	w.expect("a")
}

// promise C1: each policy
func TestPolicies(t *testing.T) {
	for _, c := range []struct {
		policy  supervise.Restart
		status  int
		options supervise.Options
		again   bool
	}{
		{supervise.Always, 0, supervise.Options{}, true},
		{supervise.Always, 1, supervise.Options{}, true},
		{supervise.OnFailure, 0, supervise.Options{}, false},
		{supervise.OnFailure, 1, supervise.Options{}, true},
		{supervise.Never, 1, supervise.Options{}, false},
		{supervise.Always, 1, supervise.Options{NoRespawn: true}, false},
	} {
		t.Run(fmt.Sprint(c.policy, c.status, c.options.NoRespawn), func(t *testing.T) {
			w := newWorld(t, c.options)
			w.apply(w.program("a", announce+"exit "+strconv.Itoa(c.status), func(p *supervise.Program) { p.Restart = c.policy }))
			w.expect("a")
			line := w.logged("program a: exited")
			if again := strings.Contains(line, "restarting"); again != c.again {
				t.Errorf("%q", line)
			}
			if c.again {
				w.expect("a")
			} else if st := w.set.Status(); st[0].State != map[bool]string{true: "done", false: "failed"}[c.status == 0] {
				t.Errorf("state %s", st[0].State)
			}
		})
	}
}

// promise R1: only what differs is touched
func TestApplyTouchesTheDifferenceOnly(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("same", announce+hold), w.program("gone", announce+hold), w.program("changed", announce+hold))
	pids := map[string]int{}
	for range 3 {
		name, pid := w.next()
		pids[name] = pid
	}
	w.apply(w.program("same", announce+hold, func(p *supervise.Program) { p.Restart = supervise.Never }),
		w.program("changed", announce+" "+hold), w.program("new", announce+hold))
	now := map[string]int{}
	for range 2 {
		name, pid := w.next()
		now[name] = pid
	}
	if now["new"] == 0 || now["changed"] == 0 || now["changed"] == pids["changed"] {
		t.Errorf("before %v, now %v", pids, now)
	}
	gone(t, pids["gone"])
	gone(t, pids["changed"])
	for _, s := range w.set.Status() {
		if s.Name == "same" && s.PID != pids["same"] {
			t.Errorf("the same program has pid %d, had %d", s.PID, pids["same"])
		}
	}
	w.logged("programs: +new ~changed *same -gone") // promise R5
}

// promise R1: all or nothing
func TestApplyRefusesAll(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+hold))
	pid := w.expect("a")
	err := w.set.Apply(context.Background(), []supervise.Program{
		{Command: []string{"/bin/sh"}},
		{Name: "none"},
		{Name: "relative", Command: []string{"sh"}, Directory: "tmp"},
		{Name: "check", Command: []string{"/bin/sh"}, Check: &supervise.Check{Command: []string{"true"}}},
		{Name: "twice", Command: []string{"/bin/sh"}},
		{Name: "twice", Command: []string{"/bin/sh"}},
	})
	if err == nil || errors.As(err, new(*supervise.LaunchError)) {
		t.Fatal(err)
	}
	for _, want := range []string{"it has no name", "program none: command: there is none",
		"program relative: command: sh: it is not an absolute path", "program relative: directory: tmp: it is not",
		"program check: check: true: it is not", "program twice: there are two"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	st := w.set.Status()
	if len(st) != 1 || st[0].PID != pid {
		t.Errorf("it was not left alone: %v", st)
	}
}

// promise T1: groups, all at once, escalation
func TestStop(t *testing.T) {
	t.Run("the whole group", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		w.apply(w.program("a", `NAME=child sh -c '`+stubborn+`' & `+announce+`wait`))
		pids := map[string]int{}
		for range 2 {
			name, pid := w.next()
			pids[name] = pid
		}
		if err := w.stop(20 * time.Second); err != nil {
			t.Error(err)
		}
		gone(t, pids["a"])
		gone(t, pids["child"])
	})
	t.Run("escalation", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		w.apply(w.program("a", stubborn, func(p *supervise.Program) { p.StopTimeout = 50 * time.Millisecond }))
		pid := w.expect("a")
		if err := w.stop(20 * time.Second); err != nil {
			t.Error(err)
		}
		gone(t, pid)
		w.logged("program a: still runs 50ms after SIGTERM: killed")
	})
	t.Run("the budget", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		w.apply(w.program("a", stubborn))
		pid := w.expect("a")
		if err := w.stop(50 * time.Millisecond); err != nil {
			t.Error(err)
		}
		gone(t, pid)
	})
	t.Run("a stopped process", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		w.apply(w.program("a", announce+hold))
		pid := w.expect("a")
		unix.Kill(pid, unix.SIGSTOP)
		if err := w.stop(20 * time.Second); err != nil {
			t.Error(err)
		}
		gone(t, pid)
	})
	t.Run("the signal", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		w.apply(w.program("a", `trap 'echo "interrupted 0" >"$FIFO"; exit' INT; `+announce+
			`while :; do sleep 1000 & wait; done`,
			func(p *supervise.Program) { p.StopSignal = unix.SIGINT }))
		w.expect("a")
		if err := w.stop(20 * time.Second); err != nil {
			t.Error(err)
		}
		w.expect("interrupted")
	})
	t.Run("again", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		if err := errors.Join(w.stop(time.Second), w.stop(time.Second)); err != nil {
			t.Error(err)
		}
		if err := w.set.Apply(context.Background(), nil); err == nil {
			t.Error("Apply after Stop")
		}
		if st := w.set.Status(); st != nil {
			t.Error(st)
		}
	})
}

// promise C2: a removal or a stop cancels a pending restart
func TestRemovalCancelsARestart(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+"exit 1"))
	w.expect("a")
	w.expect("a") // the second comes at once, the third after a second
	w.logged("restarting in 1s")
	w.apply(w.program("b", announce+hold))
	w.expect("b")
	if st := w.set.Status(); len(st) != 1 {
		t.Errorf("%v", st)
	}
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
}

// promise C2, R2: many reloads in a row, the last one wins, nothing runs twice
func TestLastApplyWins(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	for i := range 20 {
		w.apply(w.program("a", fmt.Sprintf("NAME=a%d; ", i)+stubborn,
			func(p *supervise.Program) { p.StopTimeout = 10 * time.Millisecond }))
	}
	last := 0
	running := map[string]int{}
	for {
		name, pid := w.next()
		running[name] = pid
		if name == "a19" {
			last = pid
			break
		}
	}
	for name, pid := range running {
		if name != "a19" {
			gone(t, pid)
		}
	}
	w.until("it is known to run", func() bool { return w.state("a") != "starting" }) // it has announced itself before
	st := w.set.Status()
	if len(st) != 1 || st[0].PID != last {
		t.Errorf("%v, want only pid %d", st, last)
	}
}

// promise C3: nothing of ours
func TestChildInheritsNothing(t *testing.T) {
	r, wr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer wr.Close()
	w := newWorld(t, supervise.Options{})
	out := filepath.Join(t.TempDir(), "out")
	t.Setenv("NOTIFY_SOCKET", "/run/x")
	t.Setenv("GOMAXPROCS", "1")
	w.apply(w.program("a", `{ ls /proc/$$/fd; pwd; env; grep -E "^Sig(Blk|Ign)" /proc/self/status; `+
		`cut -d " " -f 6 /proc/$$/stat; } >"$OUT" 2>&1; `+announce+hold,
		func(p *supervise.Program) { p.Environment["OUT"] = out }))
	pid := w.expect("a")
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := string(b)
	for _, want := range []string{"SigBlk:\t0000000000000000", "\n/\n", "PATH=/usr/local/sbin:", "NAME=a",
		"\n" + strconv.Itoa(pid) + "\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("the child's view lacks %q:\n%s", want, got)
		}
	}
	for _, not := range []string{"NOTIFY_SOCKET", "GOMAXPROCS", "HOME=", "GODEBUG", "\n4\n", "\n5\n"} {
		if strings.Contains(got, not) {
			t.Errorf("the child's view has %q:\n%s", not, got)
		}
	}
}

// Children of others are not ours to reap.
func TestOthersChildrenAreLeftAlone(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+hold))
	pid := w.expect("a")
	other := exec.Command("sh", "-c", "exit 7")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, other.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	// The stranger is first in line now; ours dies behind it, and must be seen all the same.
	unix.Kill(pid, unix.SIGKILL)
	w.expect("a")
	if err := other.Wait(); other.ProcessState.ExitCode() != 7 {
		t.Errorf("its status was stolen: %v", err)
	}
}

// promise T3: kill -9 of the daemon takes the children with it, whatever has cleared their death signal on the way
func TestKilledDaemonTakesItsChildren(t *testing.T) {
	for name, env := range map[string][]string{
		"as it is":                nil,
		"another user":            {"SUPERVISE_AS=nobody"},
		"set up":                  {"SUPERVISE_SETUP=1"},
		"set up, as another user": {"SUPERVISE_AS=nobody", "SUPERVISE_SETUP=1"},
	} {
		t.Run(name, func(t *testing.T) {
			if os.Geteuid() != 0 && slices.Contains(env, "SUPERVISE_AS=nobody") {
				t.Skip("needs root: it runs a program as another user")
			}
			w := newWorld(t, supervise.Options{})
			w.forEverybody()
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			c := exec.Command(exe)
			c.Env = append(os.Environ(), append(env, "SUPERVISE_DAEMON="+w.fifo)...)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			pid := w.expect("x")
			c.Process.Kill()
			c.Wait()
			gone(t, pid)
		})
	}
}

// promise C4: a thread is not paid for each child
func TestThreads(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	var programs []supervise.Program
	for i := range 200 {
		programs = append(programs, w.program(fmt.Sprint("p", i), announce+hold))
	}
	w.apply(programs...)
	for range programs {
		w.next()
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil || len(tasks) > 30 { // those of the testing package among them
		t.Errorf("%d threads for %d children, %v", len(tasks), len(programs), err)
	}
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
}
