package supervise_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"log/slog"
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

// flocked is a gate of one machine, and speaking one that speaks all the time; both tell who they are.
const (
	flocked  = `exec flock "$LOCK" sh -c 'echo "gate-of-$NAME $$" >"$FIFO"; echo open; exec sleep 1000'`
	speaking = `echo "gate-of-$NAME $$" >"$FIFO"; while :; do echo; sleep 0.1; done`
)

func gatedBy(script string, g supervise.Gate) func(*supervise.Program) {
	return func(p *supervise.Program) {
		g.Command = []string{"/bin/sh", "-c", script}
		p.Gate = &g
		p.Backoff = &supervise.Backoff{Min: 10 * time.Millisecond}
	}
}

// kinds are a Set that has a guard for its gates, and one that cannot have it.
func kinds(t *testing.T, test func(t *testing.T, o supervise.Options)) {
	for name, o := range map[string]supervise.Options{"guarded": {Helper: true}, "unguarded": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, o)
		})
	}
}

// promise G1, issue 7.B7: a program that takes no notice of TERM is dead before the other,
// which has the gate already, runs
func TestGateDelay(t *testing.T) {
	kinds(t, func(t *testing.T, o supervise.Options) {
		lock := filepath.Join(t.TempDir(), "lock")
		gated := func(p *supervise.Program) {
			gatedBy(flocked, supervise.Gate{Timeout: 500 * time.Millisecond, Delay: 4 * time.Second})(p)
			p.Environment["LOCK"] = lock
		}
		one, two := newWorld(t, o), newWorld(t, o)
		two.fifo = one.fifo
		one.apply(one.program("a", stubborn, gated))
		gate := one.expect("gate-of-a")
		pid := one.expect("a")
		two.apply(two.program("b", stubborn, gated))
		unix.Kill(gate, unix.SIGKILL)
		for { // whoever has it next, a perhaps
			name, _ := one.next()
			if strings.HasPrefix(name, "gate-of-") {
				continue
			}
			if anyLives(pid) {
				t.Errorf("%s runs while the first, which has lost the gate, does", name)
			}
			return
		}
	})
}

// promise G1, issue 7.B7: a gate that is stopped, and one whose guard is, have lost the permission
func TestGateSilent(t *testing.T) {
	for name, whose := range map[string]func(gate int) int{"gate": func(gate int) int { return gate }, "guard": parent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, supervise.Options{Helper: true})
			w.apply(w.program("a", stubborn,
				gatedBy(speaking, supervise.Gate{Timeout: 100 * time.Millisecond, Renew: 3 * time.Second})))
			gate := w.expect("gate-of-a")
			pid := w.expect("a")
			unix.Kill(whose(gate), unix.SIGSTOP)
			w.logged("its gate is lost: it has been silent for more than 3")
			gone(t, pid)
			gone(t, gate)
			w.expect("gate-of-a")
			w.expect("a")
		})
	}
	t.Run("unguarded", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, supervise.Options{})
		w.apply(w.program("a", stubborn,
			gatedBy(speaking, supervise.Gate{Timeout: 100 * time.Millisecond, Renew: 3 * time.Second})))
		gate := w.expect("gate-of-a")
		pid := w.expect("a")
		unix.Kill(gate, unix.SIGSTOP)
		w.logged("its gate is lost: it has been silent for more than 3")
		gone(t, pid)
	})
}

// anyLives tells whether one of a process group has not ended. PID 1 of a container may reap nobody.
func anyLives(group int) bool {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	return slices.ContainsFunc(stats, func(path string) bool {
		b, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest + " Z 0 0")
		return fields[0] != "Z" && fields[2] == strconv.Itoa(group)
	})
}

func parent(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	ppid, _ := strconv.Atoi(strings.Fields(rest + " 0 0")[1])
	return ppid
}

// promise G2: the first line of the gate reaches the program, as far as a variable can hold it
func TestGateToken(t *testing.T) {
	kinds(t, func(t *testing.T, o supervise.Options) {
		w := newWorld(t, o)
		for name, c := range map[string]struct{ gate, want string }{
			"plain": {`echo '{"revision": 7} x'; echo second; exec sleep 1000`, `{"revision": 7} x`},
			"empty": {`echo; exec sleep 1000`, ""},
			"parts": {`printf a; sleep 0.1; echo b; exec sleep 1000`, "ab"},
			"nul":   {`printf 'a\0b\n'; exec sleep 1000`, "a"},
			"long":  {`head -c 100000 /dev/zero | tr '\0' x; echo; exec sleep 1000`, strings.Repeat("x", 4096)},
		} {
			out := filepath.Join(t.TempDir(), "token")
			w.apply(w.program("a", `printf %s "${KEEPALIVEDD_GATE-none}" >"$OUT"; `+announce+hold, func(p *supervise.Program) {
				gatedBy(c.gate, supervise.Gate{Timeout: time.Second})(p)
				p.Environment["OUT"] = out
				p.Environment["KEEPALIVEDD_GATE"] = "forged"
			}))
			w.expect("a")
			if got, _ := os.ReadFile(out); string(got) != c.want {
				t.Errorf("%s: the program has got %.50q, want %.50q", name, got, c.want)
			}
		}
	})
}

// a gate that cannot be had is told by name, and tried again
func TestGateMissing(t *testing.T) {
	kinds(t, func(t *testing.T, o supervise.Options) {
		file := filepath.Join(t.TempDir(), "gate")
		if err := os.WriteFile(file, []byte("#!/nonexistent\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, o)
		w.apply(w.program("a", hold,
			func(p *supervise.Program) { p.Gate = &supervise.Gate{Command: []string{file}, Timeout: time.Second} }))
		w.logged("its gate ended before it was open: " + file)
	})
}

// gatedDaemon is a daemon in a process of its own with a gated program, whose child takes no notice of TERM.
type gatedDaemon struct {
	*world
	*exec.Cmd
	gate, pid, child int
}

func startGated(t *testing.T, cgroup string, environment ...string) *gatedDaemon {
	w := newWorld(t, supervise.Options{})
	d := &gatedDaemon{world: w, Cmd: exec.Command(os.Args[0])}
	d.Env = append(os.Environ(), "SUPERVISE_GATED="+w.fifo, "SUPERVISE_CGROUP="+cgroup)
	d.Env = append(d.Env, environment...)
	out, err := d.StdoutPipe()
	if err == nil {
		err = d.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Process.Kill(); d.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "applied <nil>\n" {
		t.Fatalf("%q, %v", line, err)
	}
	d.gate = w.expect("gate-of-x")
	all := w.collect(2)
	d.pid, d.child = all["x"], all["child-of-x"]
	return d
}

// beGated is what it runs.
func beGated(fifo string) {
	cgroup, child := os.Getenv("SUPERVISE_CGROUP"), `sh -c 'echo "child-of-$NAME $$" >"$FIFO"; exec sleep 1000' & `
	if cgroup != "" {
		child = away("child-of-x", hold)
	}
	stray := os.Getenv("SUPERVISE_STRAY")
	if stray != "" {
		child = stray
	}
	timeout, _ := time.ParseDuration(cmp.Or(os.Getenv("SUPERVISE_TIMEOUT"), "100ms"))
	s := supervise.New(supervise.Options{Log: slog.New(slog.DiscardHandler), Helper: true, Cgroup: cgroup,
		Orphans: stray != "", Mark: "GATED=" + fifo})
	err := s.Apply(context.Background(), []supervise.Program{{Name: "x",
		Command: []string{"/bin/sh", "-c",
			`trap "" TERM; ` + announce + child + `while :; do sleep 1000 & wait; done`},
		Environment: map[string]string{"FIFO": fifo, "NAME": "x"}, StopTimeout: time.Hour,
		Gate: &supervise.Gate{Command: []string{"/bin/sh", "-c", speaking}, Timeout: timeout, Renew: 5 * time.Second}}})
	fmt.Println("applied", err)
	select {}
}

// promise G1: a daemon that is stopped cannot end the program; its guard does, and its children too
func TestGateLostWhileDaemonIsStopped(t *testing.T) {
	for name, sig := range map[string]unix.Signal{"dead": unix.SIGKILL, "silent": unix.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startGated(t, "")
			d.Process.Signal(unix.SIGSTOP)
			unix.Kill(d.gate, sig)
			gone(t, d.pid)
			gone(t, d.child)
			gone(t, d.gate)
		})
	}
}

// promise G1: but a daemon that was stopped, while its guard was not, has missed nothing
func TestGateHeldWhileDaemonIsStopped(t *testing.T) {
	t.Parallel()
	d := startGated(t, "")
	fd, err := unix.PidfdOpen(d.pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	d.Process.Signal(unix.SIGSTOP)
	time.Sleep(7 * time.Second)
	d.Process.Signal(unix.SIGCONT)
	for end := time.Now().Add(7 * time.Second); time.Now().Before(end); {
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100); n == 1 {
			t.Fatal("the program was ended, though its gate has spoken all the time")
		}
	}
}

// promise G1: of a daemon that is killed nothing of a gated program is left, nor the gate
func TestGateOfAKilledDaemon(t *testing.T) {
	t.Parallel()
	d := startGated(t, "")
	guard := parent(d.gate)
	d.Process.Kill()
	gone(t, d.pid)
	gone(t, d.child)
	gone(t, d.gate)
	gone(t, guard)
}

// promise G1: when the guard is killed, so is its gate; the daemon ends the program
func TestGateWithoutGuard(t *testing.T) {
	t.Parallel()
	d := startGated(t, "")
	unix.Kill(parent(d.gate), unix.SIGKILL)
	gone(t, d.gate)
	gone(t, d.pid)
	gone(t, d.child)
}

// issue 3.8: the gate gives the permission and takes it back; with flock it serves one machine
func TestGate(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	gated := func(p *supervise.Program) {
		p.Gate = &supervise.Gate{Command: []string{"/bin/sh", "-c",
			`exec flock "$LOCK" sh -c 'echo "gate-of-$NAME $$" >"$FIFO"; echo open; exec sleep 1000'`}, Timeout: time.Second}
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
