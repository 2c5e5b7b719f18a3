package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// cannotRun is a file that looks well, and that the kernel cannot execute.
func cannotRun(t *testing.T) string {
	t.Helper()
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/nonexistent/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return script
}

func (w *world) update(programs ...supervise.Program) supervise.Changes {
	w.t.Helper()
	c, err := w.set.Update(context.Background(), programs)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// promise R4, issue 7.A1: a launch that fails is news of that program, and all the rest is in force
func TestUpdateWithALaunchThatFails(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	w.apply(w.program("a", announce+"exec sleep 1001"), w.program("b", announce+"exec sleep 1002"))
	pids := map[string]int{}
	for range 2 {
		name, pid := w.next()
		pids[name] = pid
	}
	script := cannotRun(t)
	next := []supervise.Program{w.program("a", announce+"exec sleep 1003"), {Name: "c", Command: []string{script}}}
	planned, err := w.set.Plan(context.Background(), next)
	if err != nil || planned.String() != "+c ~a -b" {
		t.Errorf("Plan: %v, %v", planned, err)
	}
	if st := w.set.Status(); len(st) != 2 || st[0].PID != pids["a"] || st[1].PID != pids["b"] {
		t.Errorf("after Plan: %v", st)
	}
	c := w.update(next...)
	want := "+c ~a -b; could not be started: c (" + script +
		": no such file or directory: the file is there, its interpreter \"/nonexistent/interpreter\" is not)"
	if c.String() != want {
		t.Errorf("Update: %q, want %q", c, want)
	}
	if len(c.Failed) != 1 || c.Failed[0].Name != "c" || !errors.Is(c.Failed[0], fs.ErrNotExist) {
		t.Errorf("failed: %v", c.Failed)
	}
	w.expect("a")
	gone(t, pids["a"])
	gone(t, pids["b"])
	w.logged("program c: cannot be started")

	// The same by Apply: no refusal, and nothing changes any more.
	err = w.set.Apply(context.Background(), next)
	if err != nil {
		t.Errorf("Apply: %v", err)
	}
	next = append(next, supervise.Program{Name: "d", Command: []string{script}})
	var failed *supervise.LaunchError
	if err := w.set.Apply(context.Background(), next); !errors.As(err, &failed) || failed.Name != "d" {
		t.Errorf("Apply: %v", err)
	}
}

// promise S8, issue 7.A5: whatever the system does not have is its program's failure; it is tried again,
// and there it is
func TestWhatIsMissingComes(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	dir := t.TempDir()
	quick := func(p *supervise.Program) {
		p.Backoff = &supervise.Backoff{Min: 10 * time.Millisecond, Max: 10 * time.Millisecond}
	}
	executable := w.program("executable", "", quick)
	executable.Command = []string{filepath.Join(dir, "script")}
	directory := w.program("directory", announce+hold, quick)
	directory.Directory = filepath.Join(dir, "directory")
	mode := w.program("mode", "", quick)
	mode.Command = []string{filepath.Join(dir, "mode")}
	script := []byte("#!/bin/sh\n" + announce + hold + "\n")
	if err := os.WriteFile(mode.Command[0], script, 0o644); err != nil {
		t.Fatal(err)
	}
	user := w.program("user", announce+hold, quick)
	there := make(chan struct{})
	user.User = &supervise.User{Name: "nobody-yet", Find: func() (*supervise.User, error) {
		select {
		case <-there:
			return &supervise.User{Name: "me", UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), Home: "/", Shell: "/bin/sh",
				Groups: groups(t)}, nil
		default:
			return nil, errors.New(`unknown user "nobody-yet"`)
		}
	}}
	c := w.update(executable, directory, mode, user, w.program("well", announce+hold))
	w.expect("well")
	var said []string
	for _, e := range c.Failed {
		said = append(said, e.Error())
	}
	want := []string{
		"program directory: directory: stat " + directory.Directory + ": no such file or directory",
		"program executable: " + executable.Command[0] + ": no such file or directory",
		"program mode: " + mode.Command[0] + ": permission denied: it is not executable (chmod +x)",
		`program user: unknown user "nobody-yet"`,
	}
	if strings.Join(said, "\n") != strings.Join(want, "\n") {
		t.Errorf("failed:\n%s\nwant:\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
	if err := errors.Join(os.WriteFile(executable.Command[0]+"~", script, 0o755),
		os.Rename(executable.Command[0]+"~", executable.Command[0]), os.Mkdir(directory.Directory, 0o755),
		os.Chmod(mode.Command[0], 0o755)); err != nil {
		t.Fatal(err)
	}
	close(there)
	pids := map[string]int{}
	for range 4 {
		name, pid := w.next()
		pids[name] = pid
	}
	if len(pids) != 4 {
		t.Errorf("there came %v", pids)
	}

	// The user is known now, by numbers: that is no change.
	user.User, _ = user.User.Find()
	if c := w.update(executable, directory, mode, user,
		w.program("well", announce+hold)); c.String() != "no program changed" {
		t.Errorf("%v", c)
	}
	user.User = &supervise.User{Name: "me", UID: user.User.UID, GID: user.User.GID, Home: "/elsewhere"}
	if c := w.update(executable, directory, mode, user, w.program("well", announce+hold)); c.String() != "~user" {
		t.Errorf("%v", c)
	}
}

func groups(t *testing.T) (list []uint32) {
	t.Helper()
	ids, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		list = append(list, uint32(id))
	}
	return list
}

// Nothing is ever started as the numbers, zero, of a user who is not found: not what looks after the program either.
func TestUserWhoIsNotFound(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	var gone atomic.Bool
	me := &supervise.User{Name: "me", UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), Home: "/", Shell: "/bin/sh",
		Groups: groups(t)}
	w.apply(w.program("a", announce+hold, func(p *supervise.Program) {
		p.User = &supervise.User{Name: "me", Find: func() (*supervise.User, error) {
			if gone.Load() {
				return nil, errors.New("gone")
			}
			return me, nil
		}}
		p.Check = &supervise.Check{Command: []string{"/bin/true"}, Every: 10 * time.Millisecond, Timeout: time.Minute}
	}))
	w.expect("a")
	gone.Store(true)
	w.logged("its check failed 1 times in a row, the last one gone")
	w.logged("program a: cannot be started: gone")
}

// promise R4: an Update that was refused because ctx had ended has touched nothing, one that was not is in force
func TestUpdateWithContext(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	for i := range 50 {
		ctx, cancel := context.WithCancel(context.Background())
		name := fmt.Sprint("p", i)
		if i%3 == 0 {
			cancel()
		} else {
			go cancel()
		}
		before := w.set.Status()
		_, err := w.set.Update(ctx, []supervise.Program{w.program(name, hold), w.program(name+"b", hold)})
		now := map[string]bool{}
		for _, s := range w.set.Status() {
			now[s.Name] = s.State != "stopping"
		}
		if err == nil != (now[name] && now[name+"b"]) {
			t.Errorf("%v, and there are %v", err, now)
		}
		for _, s := range before {
			if err != nil && s.State != "stopping" && !now[s.Name] {
				t.Errorf("%v, and %s has gone", err, s.Name)
			}
		}
		cancel()
	}
}

// issue 3.9, 7.A7: a signal in place of a restart, to the main process alone, where nothing but the environment differs
func TestReloadSignal(t *testing.T) {
	const worker = `trap "echo worker-hup 0 >$FIFO" HUP; trap "echo alive 0 >$FIFO" USR1; ` + announce +
		`while :; do sleep 1000 & wait; done`
	main := `trap 'echo "hup 0" >"$FIFO"' HUP; NAME=worker sh -c '` + worker + `' & ` + announce + `while :; do wait; done`
	start := func(t *testing.T, options supervise.Options) (w *world, p supervise.Program, pid, worker int) {
		w = newWorld(t, options)
		p = w.program("a", main, func(p *supervise.Program) { p.ReloadSignal = unix.SIGHUP })
		w.apply(p)
		for range 2 {
			switch name, n := w.next(); name {
			case "a":
				pid = n
			case "worker":
				worker = n
			}
		}
		return w, p, pid, worker
	}
	t.Run("environment", func(t *testing.T) {
		w, p, pid, worker := start(t, supervise.Options{})
		p.Environment = map[string]string{"FIFO": w.fifo, "NAME": "a", "X": "y"}
		if plan, err := w.set.Plan(context.Background(), []supervise.Program{p}); err != nil ||
			plan.String() != w.update(p).String() {
			t.Errorf("Plan: %v, %v", plan, err)
		}
		w.expect("hup")
		w.logged("programs: !a (! is signalled, and keeps its old environment until it is restarted)")
		if c := w.update(p); c.String() != "no program changed" {
			t.Errorf("the same again: %v", c)
		}
		if st := w.set.Status(); st[0].PID != pid {
			t.Error("it was restarted")
		}
		unix.Kill(worker, unix.SIGUSR1)
		w.expect("alive") // and has not got the other signal, which would have come before
		unix.Kill(pid, unix.SIGKILL)
		for range 2 {
			w.next()
		}
	})
	mask := 0o077
	for what, change := range map[string]func(p *supervise.Program){
		"umask":     func(p *supervise.Program) { p.Setup = &supervise.Setup{Umask: &mask} },
		"directory": func(p *supervise.Program) { p.Directory = "/tmp" },
		"output":    func(p *supervise.Program) { p.Output = supervise.Inherit },
		"command":   func(p *supervise.Program) { p.Command = []string{"/bin/sh", "-c", " " + main} },
	} {
		t.Run(what, func(t *testing.T) {
			w, p, pid, _ := start(t, supervise.Options{Helper: true})
			change(&p)
			if c := w.update(p); c.String() != "~a" {
				t.Errorf("%v", c)
			}
			gone(t, pid)
		})
	}
	t.Run("not ready", func(t *testing.T) {
		w := newWorld(t, supervise.Options{})
		p := w.program("a", announce+hold,
			func(p *supervise.Program) { p.ReloadSignal, p.Ready = unix.SIGHUP, &supervise.Ready{FD: 3} })
		w.apply(p)
		pid := w.expect("a")
		p.Environment = map[string]string{"FIFO": w.fifo, "NAME": "a", "X": "y"}
		if c := w.update(p); c.String() != "~a" {
			t.Errorf("%v", c)
		}
		gone(t, pid)
		w.expect("a")
	})
}

// issue 7.A8: a ready descriptor is closed at our end once it has said so: who writes on gets EPIPE, and does not wait
func TestReadyFDIsClosed(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	goOn := w.fifo + ".go"
	if err := unix.Mkfifo(goOn, 0o600); err != nil {
		t.Fatal(err)
	}
	w.apply(w.program("a", announce+`trap "" PIPE; echo ready >&3; read word <"$FIFO.go"
		head -c 100000 /dev/zero >&3 2>/dev/null && NAME=wrote || NAME=refused; `+announce+hold,
		func(p *supervise.Program) { p.Ready = &supervise.Ready{FD: 3} }))
	w.expect("a")
	w.logged("program a: ready")
	if err := os.WriteFile(goOn, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	w.expect("refused")
}

// promise R1: what a reload has changed is not given up for the ends of what it was
func TestGiveUpBeginsAnewWithAChange(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	a := w.program("a", announce+"exit 3")
	a.GiveUp = &supervise.GiveUp{Tries: 2, Within: time.Hour}
	w.apply(a)
	w.collect(2)
	w.is("a", "failed")
	there := filepath.Join(t.TempDir(), "there")
	a.Command = []string{"/bin/sh", "-c", announce + "test -e " + there + " || { : >" + there + "; exit 3; }; " + hold}
	w.apply(a)
	w.collect(2)
	w.is("a", "up")
}
