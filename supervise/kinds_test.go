package supervise_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

func (w *world) state(name string) string {
	for _, s := range w.set.Status() {
		if s.Name == name {
			return s.State
		}
	}
	return "gone"
}

// issue 3.3: each way of being ready, and waiting for it
func TestReadyAndOrder(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		ready  supervise.Ready
	}{
		"fd":     {announce + `read go <"$FIFO.go"; echo >&5; ` + hold, supervise.Ready{FD: 5}},
		"notify": {announce + `read go <"$FIFO.go"; ` + notify + hold, supervise.Ready{Notify: true}},
		"alive":  {announce + hold, supervise.Ready{After: 50 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "notify" {
				needsPython(t)
			}
			w := newWorld(t, supervise.Options{})
			goOn := w.fifo + ".go"
			if err := unix.Mkfifo(goOn, 0o666); err != nil {
				t.Fatal(err)
			}
			w.apply(w.program("first", c.script, func(p *supervise.Program) { p.Ready = &c.ready }),
				w.program("second", announce+hold, func(p *supervise.Program) { p.Order = &supervise.Order{After: []string{"first"}} }))
			w.expect("first")
			if name != "alive" {
				if got := w.state("second"); got != "blocked" {
					t.Errorf("before the first is ready, the second is %s", got)
				}
				if err := os.WriteFile(goOn, []byte("go\n"), 0); err != nil {
					t.Fatal(err)
				}
			}
			w.logged("program first: ready")
			w.expect("second")
			if got := w.state("first"); got != "up" {
				t.Errorf("the first is %s", got)
			}
		})
	}
}

const notify = `python3 -c 'import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
a = os.environ["NOTIFY_SOCKET"]; s.sendto(b"READY=1\n", "\0" + a[1:] if a[0] == "@" else a)'; `

func needsPython(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("needs python3, to send to the notify socket")
	}
}

// issue 3.3: a program that does not get ready is ended and counted as failed
func TestReadyTimeout(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+hold, func(p *supervise.Program) { p.Ready = &supervise.Ready{FD: 3, Timeout: 50 * time.Millisecond} }))
	pid := w.expect("a")
	w.logged("program a: not ready after 50ms: stopping it")
	w.logged("program a: not ready after 50ms; restarting now")
	gone(t, pid)
	w.expect("a")
}

// issue 3.3: the stop goes in reverse, and waits
func TestStopInReverse(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	farewell := `trap 'echo "$NAME-ends 0" >"$FIFO"; exit' TERM; ` + announce + `while :; do sleep 1000 & wait; done`
	after := func(names ...string) func(*supervise.Program) {
		return func(p *supervise.Program) { p.Order = &supervise.Order{Requires: names} }
	}
	w.apply(w.program("c", farewell, after("b")), w.program("b", farewell, after("a")), w.program("a", farewell))
	for range 3 {
		w.next()
	}
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"c-ends", "b-ends", "a-ends"} {
		w.expect(name)
	}
}

// issue 3.3: cycles are named
func TestApplyRefusesCycles(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	err := w.set.Apply(context.Background(), []supervise.Program{
		w.program("a", hold, func(p *supervise.Program) { p.Order = &supervise.Order{After: []string{"b"}} }),
		w.program("b", hold, func(p *supervise.Program) { p.Order = &supervise.Order{After: []string{"a"}} })})
	if err == nil || !strings.Contains(err.Error(), "a needs b needs a") && !strings.Contains(err.Error(), "b needs a needs b") {
		t.Errorf("Apply: %v", err)
	}
}

// issue 3.3, promise S2: Required programs hold the start up, and tell why they fail
func TestRequired(t *testing.T) {
	required := func(p *supervise.Program) { p.Required = true }
	t.Run("ready", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		w.apply(w.program("a", announce+"sleep 0.1; echo >&3; "+hold, required, func(p *supervise.Program) { p.Ready = &supervise.Ready{FD: 3} }),
			w.program("once", announce+"exit 0", required, func(p *supervise.Program) { p.OneShot = true }))
		if err := w.set.Await(context.Background()); err != nil {
			t.Error(err)
		}
		if a, once := w.state("a"), w.state("once"); a != "up" || once != "done" {
			t.Errorf("a is %s, once is %s", a, once)
		}
	})
	t.Run("fails", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		w.apply(w.program("a", `i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo "line $i"; done; echo "cannot open it" >&2; exit 3`, required, func(p *supervise.Program) { p.OneShot = true }))
		err := w.set.Await(context.Background())
		if err == nil {
			t.Fatal("no error")
		}
		for _, want := range []string{"program a: exited with status 3", "line 20\ncannot open it"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
		if strings.Contains(err.Error(), "line 5\n") {
			t.Errorf("too much of it: %q", err)
		}
	})
}

// issue 3.4
func TestEssential(t *testing.T) {
	for script, want := range map[string]int{"exit 7": 7, "kill -9 $$": 128 + 9, "exit 0": 0} {
		t.Run(script, func(t *testing.T) {
			ended := make(chan error, 1)
			w := newWorld(t, supervise.Options{Fail: func(err error) { ended <- err }})
			w.apply(w.program("a", script, func(p *supervise.Program) { p.Essential, p.Restart = true, supervise.Never }))
			var e *supervise.EndedError
			if err := <-ended; !errors.As(err, &e) || e.Status != want || e.Name != "a" {
				t.Errorf("%v", err)
			}
		})
	}
}

// issue 3.2
func TestGiveUpAndPermanentExit(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	quick := &supervise.Backoff{Min: time.Millisecond, Max: time.Millisecond}
	w.apply(w.program("tries", announce+"exit 1", func(p *supervise.Program) {
		p.Backoff, p.GiveUp = quick, &supervise.GiveUp{Tries: 5, Within: time.Hour}
	}))
	for range 5 {
		w.expect("tries")
	}
	w.logged("program tries: exited with status 1")
	w.logged("not restarted")
	if got := w.state("tries"); got != "failed" {
		t.Errorf("it is %s", got)
	}
	w.apply(w.program("permanent", announce+"exit 78", func(p *supervise.Program) { p.PermanentExit = []int{2, 78} }))
	w.expect("permanent")
	w.logged("program permanent: exited with status 78")
	if got := w.state("permanent"); got != "failed" {
		t.Errorf("it is %s", got)
	}
}

// issue 3.6
func TestCheck(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	flag := filepath.Join(t.TempDir(), "well")
	os.WriteFile(flag, nil, 0o644)
	w.apply(w.program("a", announce+hold, func(p *supervise.Program) {
		p.Check = &supervise.Check{Command: []string{"/bin/sh", "-c", `echo "check 0" >"$FIFO"; test -e ` + flag},
			Every: 10 * time.Millisecond, Timeout: 10 * time.Second, Failures: 3}
	}))
	pid, checks := 0, 0
	for pid == 0 || checks < 2 {
		if name, n := w.next(); name == "a" {
			pid = n
		} else {
			checks++
		}
	}
	os.Remove(flag)
	w.logged("its check failed 3 times in a row")
	gone(t, pid)
	os.WriteFile(flag, nil, 0o644)
	for {
		if name, next := w.next(); name == "a" {
			if next == pid {
				t.Error("the same process")
			}
			break
		}
	}
}

// issue 3.6: a check that hangs is killed, and has failed
func TestHungCheck(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+hold, func(p *supervise.Program) {
		p.Check = &supervise.Check{Command: []string{"/bin/sleep", "1000"}, Every: time.Millisecond, Timeout: 30 * time.Millisecond}
	}))
	w.expect("a")
	w.logged("its check failed 1 times in a row, the last one killed by SIGKILL")
	w.expect("a")
}

// issue 3.6
func TestWatchdog(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", `NAME="a-$WATCHDOG_USEC"; `+announce+hold, func(p *supervise.Program) {
		p.Ready = &supervise.Ready{Watchdog: 50 * time.Millisecond}
	}))
	w.expect("a-50000")
	w.logged("program a: no WATCHDOG=1 for 50ms: stopping it")
	w.expect("a-50000")
}

// issue 3.8: the gate gives the permission and takes it back; with flock it serves one machine
func TestGate(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	gated := func(p *supervise.Program) {
		p.Gate = &supervise.Gate{Command: []string{"/bin/sh", "-c", `exec flock "$LOCK" sh -c 'echo "gate-of-$NAME $$" >"$FIFO"; echo open; exec sleep 1000'`}, Timeout: time.Second}
		p.Environment["LOCK"] = lock
		p.Backoff = &supervise.Backoff{Min: 10 * time.Millisecond}
	}
	one, two := newWorld(t, supervise.Options{}), newWorld(t, supervise.Options{})
	two.fifo = one.fifo // both announce themselves there
	one.apply(one.program("a", announce+hold, gated))
	gate := one.expect("gate-of-a")
	pid := one.expect("a")
	two.apply(two.program("b", announce+hold, gated))
	if got := two.state("b"); got != "blocked" {
		t.Errorf("the second is %s", got)
	}
	// Its gate lost, the program has to go; and the other gets the permission, perhaps not at the first try.
	unix.Kill(gate, unix.SIGKILL)
	one.logged("its gate is lost")
	gone(t, pid)
	for {
		name, n := one.next()
		if name == "gate-of-b" {
			break
		}
		if name == "gate-of-a" {
			unix.Kill(n, unix.SIGKILL)
		}
	}
	pid = one.expect("b")
	// Stopped, it gives the gate up at once, for the other to have.
	if err := two.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	gone(t, pid)
	one.expect("gate-of-a")
	one.expect("a")
}

// issue 3.7: in order, one at a time, at the stop too
func TestHook(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+"exit 3", func(p *supervise.Program) {
		p.Restart = supervise.Never
		p.Hook = &supervise.Hook{Command: []string{"/bin/sh", "-c", `echo "$PROGRAM:$OLD_STATE:$NEW_STATE:$COUNT:$STATUS" >>"$FIFO.hooks"; echo "hook 0" >"$FIFO"`}}
	}))
	for range 5 { // the process, and the hooks: blocked, starting, up, failed
		w.next()
	}
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	b, _ := os.ReadFile(w.fifo + ".hooks")
	want := "a:down:blocked:0:\na:blocked:starting:0:\na:starting:up:1:\na:up:failed:1:exited with status 3\n"
	if string(b) != want {
		t.Errorf("the hooks were told:\n%swant:\n%s", b, want)
	}
}

// issue 3.7: a fault that is the last is told as well
func TestHookOfALastFault(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", hold, func(p *supervise.Program) {
		p.Restart = supervise.Never
		p.Check = &supervise.Check{Command: []string{"/bin/false"}, Timeout: 10 * time.Second}
		p.Hook = &supervise.Hook{Command: []string{"/bin/sh", "-c", `echo "$NEW_STATE 0" >"$FIFO"`}}
	}))
	for _, state := range []string{"blocked", "starting", "up", "stopping", "down", "failed"} {
		w.expect(state)
	}
}

// issue 3.3, 3.6: readiness by descriptor, and a watchdog by socket
func TestReadyFDWithWatchdog(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", `test -n "$NOTIFY_SOCKET" && echo >&4; `+announce+hold, func(p *supervise.Program) {
		p.Ready = &supervise.Ready{FD: 4, Watchdog: time.Minute}
	}))
	w.expect("a")
	w.logged("program a: ready")
}

// issue 3.7: a hook that hangs or fails blocks nobody
func TestHungHook(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+hold, func(p *supervise.Program) {
		p.Hook = &supervise.Hook{Command: []string{"/bin/sleep", "1000"}, Timeout: 20 * time.Millisecond}
	}))
	w.expect("a")
	w.logged("its on_change hook failed")
	if err := w.stop(20 * time.Second); err != nil {
		t.Error(err)
	}
}

// issue 3.1: what only the process can give to itself
func TestSetup(t *testing.T) {
	w := newWorld(t, supervise.Options{Helper: true})
	mask, nice := 0o027, 5
	out := filepath.Join(t.TempDir(), "out")
	w.apply(w.program("a", `{ umask; ulimit -n; nice; grep NoNewPrivs /proc/self/status; } >"$OUT" 2>&1; ls /proc/self/fd >>"$OUT"; `+announce+hold, func(p *supervise.Program) {
		p.Environment["OUT"] = out
		p.Setup = &supervise.Setup{Umask: &mask, Nice: &nice, NoNewPrivileges: true,
			Limits: []supervise.Limit{{Resource: unix.RLIMIT_NOFILE, Soft: 123, Hard: 456}}}
	}))
	pid := w.expect("a")
	b, _ := os.ReadFile(out)
	if got, want := strings.Join(strings.Fields(string(b)), " "), "0027 123 5 NoNewPrivs: 1 0 1 2 3"; got != want {
		t.Errorf("the child's view: %q, want %q", got, want)
	}
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("session %d, %v", sid, err)
	}
}

// issue 3.1: what cannot be had is told by its own name, and the program is not started without it
func TestSetupRefused(t *testing.T) {
	for name, c := range map[string]struct {
		setup *supervise.Setup
		want  string
	}{
		"limit": {&supervise.Setup{Limits: []supervise.Limit{{Resource: unix.RLIMIT_NOFILE, Soft: 10, Hard: 5}}}, "limit"},
		"oom":   {&supervise.Setup{OOMScoreAdj: new(int)}, "oom_score_adj 5000"},
		"exec":  {&supervise.Setup{NoNewPrivileges: true}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, supervise.Options{Helper: true})
			p := w.program("a", announce+hold)
			if c.setup.OOMScoreAdj != nil {
				*c.setup.OOMScoreAdj = 5000
			}
			if name == "exec" {
				p.Command[0] = filepath.Join(t.TempDir(), "script")
				os.WriteFile(p.Command[0], []byte("#!/nonexistent/x\n"), 0o755)
			}
			p.Setup = c.setup
			err := w.set.Apply(context.Background(), []supervise.Program{p})
			if err == nil || !strings.Contains(err.Error(), "program a: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Apply: %v, want %q", err, c.want)
			}
		})
	}
}

// issue 3.1: the same as another user, and without the privilege
func TestSetupAsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it runs a program as another user")
	}
	w := newWorld(t, supervise.Options{Helper: true})
	for dir := filepath.Dir(w.fifo); dir != os.TempDir(); dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	nice := -5
	w.apply(w.program("a", `NAME="$(id -u):$(id -g):$(id -G|tr ' ' ,):$(nice)"; `+announce+hold, func(p *supervise.Program) {
		p.User = &supervise.User{Name: "x", UID: 65534, GID: 65533, Groups: []uint32{65533, 7}, Home: "/", Shell: "/bin/sh"}
		p.Setup = &supervise.Setup{Nice: &nice}
	}))
	if name, _ := w.next(); name != "65534:65533:65533,7:-5" {
		t.Errorf("it runs as %s", name)
	}
}

// issue 3.9: a signal where the command is the same
func TestReloadSignal(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	script := `trap 'echo "hup 0" >"$FIFO"' HUP; ` + announce + `while :; do sleep 1000 & wait; done`
	p := w.program("a", script, func(p *supervise.Program) { p.ReloadSignal = unix.SIGHUP })
	w.apply(p)
	pid := w.expect("a")
	q := w.program("a", script, func(p *supervise.Program) { p.ReloadSignal, p.Environment["X"] = unix.SIGHUP, "y" })
	w.apply(q)
	w.expect("hup")
	if st := w.set.Status(); st[0].PID != pid {
		t.Error("it was restarted")
	}
	w.apply(q)
	if st := w.set.Status(); st[0].PID != pid {
		t.Error("it was restarted")
	}
}
