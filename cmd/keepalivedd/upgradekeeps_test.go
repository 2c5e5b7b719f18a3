package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bareProgram leaves somebody behind who has its session, but neither its group nor its environment.
const bareProgram = `cgroups = "off"
[program.one]
command = ["%s", "-c", "set -m; env -i sh -c 'echo $$ >$DIR/bare.new; mv $DIR/bare.new $DIR/bare; exec tail -f $DIR/conf.toml >/dev/null' & echo up >>$DIR/up; exec tail -f $DIR/up"]
`

// bare holds who was left behind.
func (w *world) bare() *process {
	w.t.Helper()
	w.await(filepath.Join(w.dir, "bare"), "^[0-9]+$")
	n, _ := strconv.Atoi(strings.TrimSpace(w.read(filepath.Join(w.dir, "bare"))))
	os.Remove(filepath.Join(w.dir, "bare"))
	p, err := hold(n)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// promises U1, T3: what a program has left is found by its session after an upgrade: at its next start,
// and after a kill -9
func TestUpgradeKnowsSessions(t *testing.T) {
	bash, err := exec.LookPath("bash") // others have job control on a terminal only
	if err != nil {
		t.Skip(err)
	}
	w := newWorld(t, fmt.Sprintf(bareProgram, bash))
	p := w.up()
	noted := sessionsFile(w.pidfile)
	first := w.bare()
	defer first.close()
	w.upgrade(newer(t))
	if status, stderr := w.run("restart", "one"); status != 0 {
		t.Fatalf("restart: %d, %q", status, stderr)
	}
	if !first.ends(patience) {
		t.Error("what the process before the upgrade has left lives on")
	}
	second := w.bare()
	defer second.close()
	w.await(noted, fmt.Sprintf("^%d [0-9]+$", w.pids()["one"]))
	w.upgrade(newer(t))
	p.signal(t, unix.SIGKILL)
	p.wait(t)
	if second.ends(0) {
		t.Fatal("it has died with the daemon: the test is void")
	}
	if status, stderr := w.run(); status != 0 || !strings.Contains(stderr, "stale pidfile") {
		t.Fatalf("start: %d, %q", status, stderr)
	}
	p = w.daemon()
	if !second.ends(patience) {
		t.Error("what was noted before the upgrade lives on")
	}
	w.down(p)
	if _, err := os.Lstat(noted); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was noted is left: %v", err)
	}
}

// promise U1: the last lines of a program, and how many there were, go on; so does what it is bound to write to
func TestUpgradeKeepsLogs(t *testing.T) {
	w := newWorld(t, `
[program.one]
command = ["/bin/sh", "-c", "echo first; echo second >&2; exec tail -n 0 -f $DIR/more"]
[program.two]
command = ["/bin/sh", "-c", "echo of two; exec sleep 1000"]
output = "log"
`)
	if err := os.WriteFile(filepath.Join(w.dir, "more"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	p := w.up()
	w.await(w.log, `one\[[0-9]+\]: second`)
	w.await(w.log, `two\[[0-9]+\]: of two`)
	_, before := w.say("logs", "-n", "all")
	for range 2 {
		w.upgrade(newer(t))
	}
	if status, after := w.say("logs", "-n", "all"); status != 0 || after != before || strings.Count(after, "\n") < 3 {
		t.Errorf("status %d, it was %q, and is %q", status, before, after)
	}
	f, err := os.OpenFile(filepath.Join(w.dir, "more"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(f, "third")
	f.Close()
	w.await(w.log, `one\[[0-9]+\]: third`)
	if _, after := w.say("logs", "-n", "all", "one"); !strings.Contains(after, "first") ||
		!strings.Contains(after, "third") {
		t.Errorf("it says %q", after)
	}
	if _, text := w.say("metrics"); !strings.Contains(text, `program_output_lines_total{program="one"} 3`) {
		t.Errorf("metrics:\n%s", lineWith(text, "output_lines_total{"))
	}
	w.down(p)
}

// promise U1, issue 10.5: after a reload, which opens every file anew, as logrotate asks for
func TestUpgradeAfterReload(t *testing.T) {
	w := newWorld(t, `
[program.one]
command = ["/bin/sh", "-c", "echo first; exec sleep 1000"]
output = "$DIR/one.log"
`)
	p := w.up()
	w.await(filepath.Join(w.dir, "one.log"), "first")
	if status, stderr := w.run("reload"); status != 0 {
		t.Fatalf("reload: status %d, %q", status, stderr)
	}
	was := w.pids()
	w.upgrade(newer(t))
	if now := w.pids(); now["one"] != was["one"] {
		t.Errorf("the program was %v, is %v", was, now)
	}
	w.down(p)
}

// promise U1: however many die and are born meanwhile, every start has its reason, and every line of output arrives
// once. KEEPALIVEDD_LONG makes a hundred upgrades of it.
func TestUpgradeAgainAndAgain(t *testing.T) {
	rounds := 8
	if long() {
		rounds = 100
	}
	to := newer(t)
	w := newWorld(t, `
[program.short]
instances = 12
command = ["/bin/sh", "-c", "i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo $$ $i; done; sleep 0.$(($$ %% 7)); : $DIR/"]
output = "$DIR/out-%i"
restart_delay = { min = "20ms", max = "50ms", reset_after = "10ms" }
[program.long]
instances = 6
command = ["/bin/sh", "-c", "echo $$ >>$DIR/long-%i; exec tail -n 0 -f $DIR/conf.toml"]
`)
	p := w.up()
	for range rounds {
		w.upgrade(to)
	}
	st := w.state()
	for i := range st.Programs {
		s := &st.Programs[i]
		living := 0
		if s.PID != 0 {
			living = 1
		}
		ended := s.Exits.Sum()
		made := s.PID == 0 && s.State == "starting" && s.Starts == ended+1 // its process is being made
		if s.Starts != ended+living && !made {
			t.Errorf("%s: %d starts, %d ends, pid %d", s.Name, s.Starts, ended, s.PID)
		}
		if strings.HasPrefix(s.Name, "long") && s.Starts != 1 {
			t.Errorf("%s has been started %d times", s.Name, s.Starts)
		}
	}
	w.down(p)
	seen := 0
	for i := range 12 {
		last := map[string]int{}
		for line := range strings.Lines(w.read(filepath.Join(w.dir, fmt.Sprintf("out-%d", i+1)))) {
			pid, n, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			if k, _ := strconv.Atoi(n); k != last[pid]+1 && k != 1 { // 1: a number is given again
				t.Fatalf("out-%d: %q after %d", i+1, line, last[pid])
			} else {
				last[pid] = k
			}
			seen++
		}
		short := 0
		for _, n := range last {
			if n != 200 {
				short++
			}
		}
		if short > 1 { // the last was stopped
			t.Errorf("out-%d: %d processes have not all of their lines", i+1, short)
		}
	}
	if seen == 0 {
		t.Error("nobody has written anything")
	}
}

// promises C7, U1: what a process tells by sd_notify(3) is heard after an upgrade as before
func TestUpgradeKeepsNotifySockets(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip(err)
	}
	w := newWorld(t, `
[program.notifies]
command = ["`+python+`", "-u", "$DIR/notifies"]
ready = "notify"
ready_timeout = "1h"
watchdog = "1h"
`)
	script := `
import os, socket, subprocess, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(text): s.sendto(text.encode(), "\0" + os.environ["NOTIFY_SOCKET"][1:])
def wait(name):
    while not os.path.exists(here + name): time.sleep(0.05)
here = os.path.dirname(os.path.abspath(__file__)) + "/"
main = subprocess.Popen(["sleep", "1000"])
say("STATUS=getting there\nMAINPID=%d" % main.pid)
open(here + "began", "w").write("began\n")
wait("go")
say("READY=1\nSTATUS=there")
wait("trigger")
say("WATCHDOG=trigger")
time.sleep(1000)
`
	if err := os.WriteFile(filepath.Join(w.dir, "notifies"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	is := func(ok func(p *programState) bool) *programState {
		t.Helper()
		for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			st := w.state()
			if p := st.find("notifies"); ok(p) {
				return p
			} else if time.Now().After(end) {
				t.Fatalf("it is %+v; the log:\n%s", p, w.read(w.log))
			}
		}
	}
	p := w.up()
	w.await(filepath.Join(w.dir, "began"), "began")
	was := is(func(p *programState) bool { return p.MainPID != 0 })
	w.upgrade(newer(t))
	if now := is(func(*programState) bool { return true }); now.MainPID != was.MainPID || now.Text != "getting there" ||
		now.State != "starting" {
		t.Errorf("it was %+v, and is %+v", was, now)
	}
	os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o644)
	is(func(p *programState) bool { return p.State == "up" && p.Text == "there" })
	w.upgrade(newer(t))
	os.WriteFile(filepath.Join(w.dir, "trigger"), nil, 0o644)
	is(func(p *programState) bool { return p.Starts >= 2 && p.Exits.Unhealthy >= 1 })
	w.down(p)
}
