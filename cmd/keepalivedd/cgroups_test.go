package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// where tells the cgroups of version 2 of the daemon and of a program.
func (w *world) where(p *process, program string) (daemon, its string) {
	w.t.Helper()
	status, text := w.say("status", "--json", program)
	var a state
	if err := json.Unmarshal([]byte(text), &a); err != nil || len(a.Programs) != 1 || a.Programs[0].PID == 0 {
		w.t.Fatalf("status %d: %v: %s", status, err, text)
	}
	of := func(pid int) string {
		_, path, _ := strings.Cut("\n"+w.read(fmt.Sprintf("/proc/%d/cgroup", pid)), "\n0::")
		path, _, _ = strings.Cut(path, "\n")
		return path
	}
	return of(p.pid), of(a.Programs[0].PID)
}

// issue 8.5: cgroups = "require" gives each program one, and "off" gives none
func TestCgroups(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"auto", "require", "off"} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			if _, err := supervise.FindCgroup(); err != nil && value == "require" {
				t.Skip("needs a cgroup of version 2 that it may write to: ", err)
			}
			w := newWorld(t, "cgroups = \""+value+"\"\n"+oneProgram)
			if status, stderr := w.run("-t"); status != 0 {
				t.Errorf("-t: %d, %s", status, stderr)
			}
			p := w.up()
			daemon, its := w.where(p, "one")
			switch {
			case value == "off" && its != daemon:
				t.Errorf("it is in %s, the daemon in %s", its, daemon)
			case value == "require" && (its == daemon || !strings.HasSuffix(its, "/one.group")):
				t.Errorf("it is in %s, the daemon in %s", its, daemon)
			}
			if status, stderr := w.run("reload"); status != 0 {
				t.Errorf("reload: %d, %s", status, stderr)
			}
			w.down(p)
		})
	}
}

// without has a command run where no hierarchy of version 2 is mounted.
func without(t *testing.T, c *exec.Cmd) *exec.Cmd {
	t.Helper()
	script := `umount -a -l -t cgroup2 && exec "$@"`
	if out, err := exec.Command("unshare", "-m", "/bin/sh", "-c", script, "sh", "/bin/true").CombinedOutput(); err != nil {
		t.Skipf("needs root, unshare and a mounted cgroup2: %v: %s", err, out)
	}
	c.Args = append([]string{"unshare", "-m", "/bin/sh", "-c", script, "sh", c.Path}, c.Args[1:]...)
	c.Path, _ = exec.LookPath("unshare")
	return c
}

// promise S9, issue 8.5: that what is required cannot be had is told by -t and by a start, with its place; where it is
// not required, all works without
func TestCgroupsCannotBeHad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "cgroups = \"require\"\n"+oneProgram)
	at := fmt.Sprintf("%s:%d:11: cgroups: no cgroup can be had here: no hierarchy of cgroups of version 2 is mounted",
		w.conf, lineIn(w.read(w.conf), "cgroups"))
	for _, args := range [][]string{{"-t"}, nil} {
		if status, stderr := w.finish(without(t, w.command(args...))); status != 6 || !strings.Contains(stderr, at) {
			t.Errorf("%v: %d, %s", args, status, stderr)
		}
	}
	w.empty()
	w.configure("cgroups = \"auto\"\n" + oneProgram)
	if status, stderr := w.finish(without(t, w.command())); status != 0 || stderr != "" {
		t.Fatalf("start: %d, %s", status, stderr)
	}
	p := w.daemon()
	w.await(filepath.Join(w.dir, "up"), "^up$")
	if daemon, its := w.where(p, "one"); daemon != its {
		t.Errorf("it is in %s, the daemon in %s", its, daemon)
	}
	w.down(p)
}

// lineIn is the number of the first line that begins so.
func lineIn(text, begin string) int {
	before, _, _ := strings.Cut("\n"+text, "\n"+begin)
	return 1 + strings.Count(before, "\n")
}

// promises S8, S9, issue 8.5: a controller that cannot be had is told by -t with its place, and is the failure of the
// program that asks for it: all others run
func TestControllerCannotBeHad(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root: -t does not hold against the configuration what others may not have")
	}
	if supervise.LookForCgroup("memory") == nil {
		t.Skip("needs a machine without the controller memory in version 2")
	}
	w := newWorld(t, `
[program.bound]
command = ["/bin/sh", "-c", "echo up >>$DIR/bound; exec tail -f $DIR/bound"]
memory = "64M"
`+oneProgram)
	at := fmt.Sprintf("%s:%d:10: program.bound.memory: cgroup controller memory is not to be had here: ", w.conf,
		lineIn(w.read(w.conf), "memory"))
	if status, stderr := w.run("-t"); status != 6 || !strings.Contains(stderr, at) {
		t.Errorf("-t: %d, %s", status, stderr)
	}
	status, stderr := w.run()
	if status != 0 || !strings.Contains(stderr, at) ||
		!strings.Contains(stderr, "the program is tried again, all others are started") {
		t.Errorf("start: %d, %s", status, stderr)
	}
	p := w.daemon()
	w.await(filepath.Join(w.dir, "up"), "^up$")
	if status, text := w.say("status", "bound"); status == 0 ||
		!strings.Contains(strings.Join(strings.Fields(text), " "), "cannot be started: ") {
		t.Errorf("status: %d, %s", status, text)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "bound")); err == nil {
		t.Error("it runs without its bound")
	}
	w.down(p)
}

// issue 8.5: bounds are the kernel's, and a reload that changes nothing else applies them to what runs
func TestBounds(t *testing.T) {
	t.Parallel()
	if err := supervise.LookForCgroup("memory", "cpu", "pids"); err != nil {
		t.Skip("needs the controllers of version 2: ", err)
	}
	program := func(bounds string) string {
		return "[program.one]\ncommand = [\"/bin/sh\", \"-c\", \"echo up >>$DIR/up; exec tail -f $DIR/up\"]\n" + bounds
	}
	w := newWorld(t, program("memory = \"64M\"\ncpu_weight = 50\npids = 20\n"))
	if status, stderr := w.run("-t"); status != 0 {
		t.Errorf("-t: %d, %s", status, stderr)
	}
	p := w.up()
	w.await(filepath.Join(w.dir, "up"), "^up$")
	_, text := w.say("status", "--json")
	var a state
	json.Unmarshal([]byte(text), &a)
	one := a.Programs[0]
	holds := func(file, want string) {
		t.Helper()
		var got string
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if got = strings.TrimSpace(w.read(filepath.Join(one.Cgroup, file))); got == want {
				return
			}
		}
		t.Errorf("%s is %q, not %q", file, got, want)
	}
	holds("memory.max", "67108864")
	holds("cpu.weight", "50")
	holds("pids.max", "20")
	w.configure(program("memory = \"128M\"\n"))
	if status, stderr := w.run("reload"); status != 0 {
		t.Errorf("reload: %d, %s", status, stderr)
	}
	holds("memory.max", "134217728")
	holds("cpu.weight", "100")
	holds("pids.max", "max")
	if now := w.read(filepath.Join(w.dir, "up")); now != "up\n" {
		t.Errorf("it was restarted: %q", now)
	}
	w.down(p)
}

// promise T4, issue 8.5: a daemon that is started by what a program of the one before has left, as over its sshd, is
// where that one was: neither bound as the program was, nor below it
func TestStartedInTheGroupOfAProgramOfTheOneBefore(t *testing.T) {
	t.Parallel()
	own, err := supervise.FindCgroup()
	if err != nil || os.Geteuid() != 0 {
		t.Skip("needs root, and a cgroup of version 2 that it may write to: ", err)
	}
	w := newWorld(t, oneProgram)
	left := filepath.Join(own, cgroupName(w.pidfile), "sshd.process")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	session := &cgroup{t: t, dir: left}
	if status, stderr := session.run(w, w.command()); status != 0 {
		t.Fatal(status, stderr)
	}
	p := w.daemon()
	daemon, its := w.where(p, "one")
	if strings.Contains(daemon, "sshd.process") || its != filepath.Join(daemon, cgroupName(w.pidfile), "one.group") {
		t.Errorf("the daemon is in %s, its program in %s", daemon, its)
	}
	w.down(p)
	os.Remove(left)
	os.Remove(filepath.Dir(left))
}
