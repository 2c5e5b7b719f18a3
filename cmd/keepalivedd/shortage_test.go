package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/internal/fdtest"
)

// everyKind are programs with all that a daemon does for them: output to files and to syslog, readiness, checks, hooks,
// gates, limits.
const everyKind = `
[program.a]
command = ["/bin/sh", "-c", "echo $$ >>$DIR/a; exec tail -f $DIR/a"]
output = "$DIR/out.a"
on_change = ["/bin/true"]
restart_delay = { min = "100ms", max = "200ms" }
[program.b]
command = ["/bin/sh", "-c", "while echo $DIR/; do sleep 0.1; done"]
output = "syslog"
check = { command = ["/bin/true"], every = "200ms" }
restart_delay = { min = "100ms", max = "200ms" }
[program.c]
command = ["/bin/sh", "-c", "echo >&3; exec tail -f $DIR/conf.toml"]
ready = "fd:3"
limits.nofile = 100
output = "$DIR/out.c"
[program.d]
command = ["/bin/sh", "-c", "exec tail -f $DIR/conf.toml"]
gate = ["/bin/sh", "-c", "echo yes; exec tail -f $DIR/conf.toml"]
output = "$DIR/out.d"
restart_delay = { min = "100ms", max = "200ms" }
`

// runner runs the program to its end, as some user.
type runner func(args ...string) (status int, stderr string)

// work has a daemon with programs of everyKind do all that it can, a round of it.
func (w *world) work(run runner, d *process, programs string, round int) {
	w.t.Helper()
	w.configure(programs + fmt.Sprintf(`
[program.new%d]
command = ["/bin/sh", "-c", "exec tail -f $DIR/conf.toml"]
output = "$DIR/out.new"
`, round))
	if status, stderr := run("reload"); status != 0 {
		w.t.Fatalf("round %d: reload: %d, %s; the log:\n%s", round, status, stderr, w.read(w.log))
	}
	if status, stderr := run("status"); status != 0 && status != statusPartly {
		w.t.Fatalf("round %d: status: %d, %s", round, status, stderr)
	}
	d.signal(w.t, unix.SIGUSR1)
	if err := await(w.log, regexp.MustCompile(`INFO written file=`), round+1); err != nil {
		w.t.Fatal(err)
	}
}

// killLastOfA kills the process of program a that was started last, of those that have said so.
func (w *world) killLastOfA() {
	w.t.Helper()
	w.await(filepath.Join(w.dir, "a"), `^\d+$`)
	pids := strings.Fields(w.read(filepath.Join(w.dir, "a")))
	if pid, _ := strconv.Atoi(pids[len(pids)-1]); pid > 1 {
		unix.Kill(pid, unix.SIGKILL)
	}
}

// goesOn has a daemon work in a shortage in which nobody can be born, neither process nor thread, and afterwards.
func (w *world) goesOn(run runner, d *process, begin, end func()) {
	w.t.Helper()
	w.await(filepath.Join(w.dir, "a"), `^\d+$`)
	begin()
	const rounds = 10
	for round := range rounds {
		w.work(run, d, everyKind, round)
		if round == 0 {
			w.killLastOfA()
		}
	}
	w.await(w.log, `program a: cannot be started: .*resource temporarily unavailable`)
	w.await(w.log, fmt.Sprintf(`program new%d: cannot be started: .*resource temporarily unavailable`, rounds-1))
	end()
	if err := await(filepath.Join(w.dir, "a"), regexp.MustCompile(`(?m)^\d+$`), 2); err != nil {
		w.t.Fatal(err)
	}
	w.await(w.log, fmt.Sprintf(`program new%d: started`, rounds-1))
	w.down(d)
}

// promise C8, issue 8.3: in a cgroup that is full the daemon lives, answers, takes on what is new, says what it lacks,
// and everything comes back by itself
func TestFullCgroup(t *testing.T) {
	w := newWorld(t, everyKind)
	g := newCgroup(t, "pids")
	g.set("pids.max", "20")
	if status, stderr := g.run(w, w.command()); status != 1 ||
		!strings.Contains(stderr, "that the cgroup may have are left") {
		t.Errorf("a start in a small cgroup: %d, %q", status, stderr)
	}
	g.set("pids.max", "max")
	if status, stderr := g.run(w, w.command()); status != 0 {
		t.Fatalf("start: %d, %q", status, stderr)
	}
	// 1: less than there are
	w.goesOn(w.run, w.daemon(), func() { g.set("pids.max", "1") }, func() { g.set("pids.max", "max") })
}

// promise C8, issue 8.3: so does the daemon of a user who has as many processes as he may
func TestNoMoreProcesses(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it starts as another user, who has no processes yet")
	}
	for _, tool := range []string{"prlimit", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no " + tool)
		}
	}
	w := newWorld(t, everyKind)
	for _, dir := range []string{filepath.Dir(w.dir), w.dir} {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	user := func(args ...string) (int, string) {
		c := exec.Command("setpriv", append([]string{"--reuid=64322", "--regid=64322", "--clear-groups"}, args...)...)
		c.Env = w.command().Env
		return w.finish(c)
	}
	run := func(args ...string) (int, string) { return user(w.command(args...).Args...) }
	if status, stderr := run(); status != 0 {
		t.Fatalf("start: %d, %q", status, stderr)
	}
	d := w.daemon()
	limit := func(soft string) {
		if status, stderr := user("prlimit", "--pid="+itoa(d.pid), "--nproc="+soft+":"); status != 0 {
			t.Fatalf("prlimit: %d, %q", status, stderr)
		}
	}
	w.goesOn(run, d, func() { limit("1") }, func() { limit("4000") })
}

// promise C8, S8, R4, issue 8.3: without a descriptor a reload is refused and a launch fails, with words; and
// everything comes back by itself
func TestNoDescriptorLeft(t *testing.T) {
	w := newWorld(t, everyKind)
	d := w.up()
	w.await(filepath.Join(w.dir, "a"), `^\d+$`)
	var before unix.Rlimit
	if err := unix.Prlimit(d.pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(d.pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: before.Max}, nil); err != nil {
		t.Fatal(err)
	}
	w.killLastOfA()
	w.await(w.log, `program a: cannot be started: .*too many open files`)
	d.signal(t, unix.SIGHUP)
	w.await(w.log, `reload failed, everything goes on as before.*too many open files`)
	d.signal(t, unix.SIGUSR1)
	w.await(w.log, `dump failed.*too many open files`)
	os.Remove(w.pidfile)
	w.await(w.log, `the pidfile cannot be put back, trying on.*too many open files`)
	if err := unix.Prlimit(d.pid, unix.RLIMIT_NOFILE, &before, nil); err != nil {
		t.Fatal(err)
	}
	w.await(w.pidfile, "^"+itoa(d.pid)+"\n$")
	if err := await(filepath.Join(w.dir, "a"), regexp.MustCompile(`(?m)^\d+$`), 2); err != nil {
		t.Fatal(err)
	}
	if status, stderr := w.run("reload"); status != 0 {
		t.Errorf("reload: %d, %s", status, stderr)
	}
	w.down(d)
}

// promise C8: what could not be started for want of a descriptor is no end of a program, whatever its policy, and its
// hook is told of the latest all the same
func TestNoDescriptorEndsNothing(t *testing.T) {
	w := newWorld(t, `
[program.a]
command = ["/bin/sh", "-c", "echo $$ >>$DIR/a; exec tail -f $DIR/a"]
output = "$DIR/out.a"
give_up = { tries = 2, within = "1h" }
restart_delay = { min = "100ms", max = "200ms" }
on_change = ["/bin/sh", "-c", "echo $NEW_STATE $COUNT >>$DIR/told"]
`)
	d := w.up()
	told := filepath.Join(w.dir, "told")
	w.await(told, `^up 1$`)
	var before unix.Rlimit
	if err := unix.Prlimit(d.pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(d.pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: before.Max}, nil); err != nil {
		t.Fatal(err)
	}
	w.killLastOfA()
	w.await(w.log, `program a: cannot be started: .*too many open files; restarting in .*\((4|8) times in a row\)`)
	if err := unix.Prlimit(d.pid, unix.RLIMIT_NOFILE, &before, nil); err != nil {
		t.Fatal(err)
	}
	w.await(told, `^up [3-9][0-9]*$`)
	w.down(d)
}

// hungTerminals returns terminals that nobody reads.
func hungTerminals(t *testing.T, n int) (paths []string) {
	t.Helper()
	for range n {
		master, slave := fdtest.PTY(t)
		t.Cleanup(func() { master.Close(); slave.Close() })
		paths = append(paths, slave.Name())
	}
	return paths
}

// promise C8, issue 8.3: the daemon makes no thread once its first program runs: not for reloads, hooks, gates, checks,
// deaths, answers, storms of output, outputs that hang, nor for the stop
func TestNoThreadLater(t *testing.T) {
	needStrace(t)
	kinds := everyKind
	for i, to := range hungTerminals(t, 5) {
		kinds += fmt.Sprintf(`
[program.flood%d]
command = ["/bin/sh", "-c", "while echo $DIR/; do :; done"]
output = "%s"
`, i, to)
	}
	w := newWorld(t, kinds)
	d := w.up()
	trace := filepath.Join(w.dir, "trace")
	strace := exec.Command("strace", "-f", "-e", "signal=none", "-e", "trace=clone,clone3", "-o", trace, "-p", itoa(d.pid))
	stderr, err := strace.StderrPipe()
	if err == nil {
		err = strace.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(stderr)
	if !said.Scan() || !strings.Contains(said.Text(), "attached") {
		t.Fatalf("strace: %s", said.Text())
	}
	own := threads(t, d.pid)
	rounds := 5
	if long() {
		rounds = 200
	}
	for round := range rounds {
		w.work(w.run, d, kinds, round)
		w.killLastOfA()
	}
	w.down(d)
	for said.Scan() {
	}
	strace.Wait()
	forks := 0
	for line := range strings.Lines(w.read(trace)) {
		tid, call, _ := strings.Cut(line, " ")
		if _, is := own[tid]; !is {
			continue // a program's
		}
		if forks++; strings.Contains(call, "CLONE_THREAD") {
			t.Error(line)
		}
	}
	if forks == 0 {
		t.Errorf("no call was seen: %q", w.read(trace))
	}
}
