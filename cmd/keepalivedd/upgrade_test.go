package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var newerOnce = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(built), "newer")
	c := exec.Command("go", "build", "-ldflags", "-X main.version=v2", "-o", path, ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := c.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, err
})

// newer returns the program as another version.
func newer(t *testing.T) string {
	t.Helper()
	path, err := newerOnce()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skipf("no newer program to test with: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// pids are those of the programs by name, as the daemon says.
func (w *world) pids() map[string]int {
	w.t.Helper()
	m := map[string]int{}
	for _, p := range w.state().Programs {
		m[p.Name] = p.PID
	}
	return m
}

func (w *world) state() (st state) {
	w.t.Helper()
	_, out := w.say("status", "--json")
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		w.t.Fatalf("status says %q: %v", out, err)
	}
	return st
}

func (w *world) upgrade(to string) {
	w.t.Helper()
	c := w.command("upgrade", "--binary", to)
	var out bytes.Buffer
	c.Stdout = &out
	if status, stderr := w.finish(c); status != 0 || stderr != "" || !strings.HasPrefix(out.String(), "upgraded from ") {
		w.t.Fatalf("upgrade: status %d, %q%q; the log:\n%s", status, out.String(), stderr, w.read(w.log))
	}
}

const oneMore = `
[program.%s]
command = ["/bin/sh", "-c", "echo up >>$DIR/%[1]s; exec tail -f $DIR/%[1]s"]
`

// promise U1: three upgrades in a row, with children born in every generation, and none of them is touched
func TestUpgrade(t *testing.T) {
	second := newer(t)
	programs := fmt.Sprintf(oneMore, "p0")
	w := newWorld(t, programs)
	p := w.up()
	was := w.pids()
	for i := range 3 {
		to := second
		if i%2 == 1 {
			to = w.binary
		}
		w.upgrade(to)
		if now := w.pids(); fmt.Sprint(now) != fmt.Sprint(was) {
			t.Fatalf("upgrade %d: programs were %v, are %v; the log:\n%s", i+1, was, now, w.read(w.log))
		}
		if again := w.daemon(); again.pid != p.pid {
			t.Fatalf("the daemon was %d, is %d", p.pid, again.pid)
		}
		programs += fmt.Sprintf(oneMore, fmt.Sprintf("p%d", i+1))
		w.configure(programs)
		if status, stderr := w.run("reload"); status != 0 {
			t.Fatalf("reload: %d, %s; the log:\n%s", status, stderr, w.read(w.log))
		}
		w.await(filepath.Join(w.dir, fmt.Sprintf("p%d", i+1)), "up")
		was = w.pids()
	}
	if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.pid)); string(b) != "keepalivedd\n" {
		t.Errorf("its name is %q", b)
	}
	for name := range was {
		if text := w.read(filepath.Join(w.dir, name)); text != "up\n" {
			t.Errorf("%s was started again: %q", name, text)
		}
	}
	if n := len(regexp.MustCompile(`(?m) upgraded `).FindAllString(w.read(w.log), -1)); n != 3 {
		t.Errorf("%d upgrades are told:\n%s", n, w.read(w.log))
	}
	w.down(p)
}

// promise U1: whatever the programs are in the midst of, it goes on
func TestUpgradeKeeps(t *testing.T) {
	to := newer(t)
	w := newWorld(t, `
[program.writes]
command = ["/bin/sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); echo $i; done; exec tail -n 0 -f $DIR/conf.toml"]
output = "$DIR/numbers"
[program.half]
command = ["/bin/sh", "-c", "printf half; while [ ! -e $DIR/go ]; do sleep 0.05; done; echo other; exec tail -n 0 -f $DIR/conf.toml"]
output = "$DIR/half"
[program.slow]
command = ["/bin/sh", "-c", "while [ ! -e $DIR/go ]; do sleep 0.05; done; echo >&5; exec tail -n 0 -f $DIR/conf.toml"]
ready = "fd:5"
ready_timeout = "1h"
[program.behind]
command = ["/bin/sh", "-c", "echo up >>$DIR/behind; exec tail -f $DIR/behind"]
after = ["slow"]
[program.dead]
command = ["/bin/sh", "-c", "echo dead >>$DIR/dead; exit 3"]
restart_delay = { min = "1h", max = "1h" }
[program.once]
command = ["/bin/sh", "-c", "echo once >>$DIR/once"]
type = "oneshot"
[program.held]
command = ["/bin/sh", "-c", "echo up >>$DIR/held; exec tail -f $DIR/held"]
[program.gated]
command = ["/bin/sh", "-c", "echo $KEEPALIVEDD_GATE >>$DIR/gated; exec tail -f $DIR/gated"]
gate = ["/bin/sh", "-c", "echo token; echo gate >>$DIR/gate; exec tail -f $DIR/gate"]
[program.waits]
command = ["/bin/sh", "-c", "echo $KEEPALIVEDD_GATE >>$DIR/waits; exec tail -f $DIR/waits"]
gate = ["/bin/sh", "-c", "while [ ! -e $DIR/go ]; do sleep 0.05; done; echo late; exec tail -f $DIR/gate"]
[program.checked]
command = ["/bin/sh", "-c", "echo up >>$DIR/checked; exec tail -f $DIR/checked"]
on_change = ["/bin/sh", "-c", "echo $NEW_STATE >>$DIR/changes"]
[program.checked.check]
command = ["/bin/sh", "-c", "echo check >>$DIR/checks; while [ ! -e $DIR/go ]; do sleep 0.05; done; echo over >>$DIR/checks"]
every = "1h"
timeout = "1h"
`)
	p := w.up()
	for file, what := range map[string]string{"numbers": "^100$", "gated": "^token$", "checks": "^check$", "once": "once",
		"changes": "up"} {
		w.await(filepath.Join(w.dir, file), what)
	}
	if status, stderr := w.run("down", "held"); status != 0 {
		t.Fatalf("down: %d, %s", status, stderr)
	}
	was := w.state()
	for was.find("dead").Failures < 2 || was.find("once").State != "done" || was.find("gated").State != "up" {
		time.Sleep(20 * time.Millisecond)
		was = w.state()
	}
	for range 3 {
		w.upgrade(to)
	}
	now := w.state()
	for i := range was.Programs {
		a, b := &was.Programs[i], &now.Programs[i]
		if a.Name != b.Name || a.State != b.State || a.PID != b.PID || a.Starts != b.Starts || a.Failures != b.Failures ||
			a.Last != b.Last ||
			a.Exits != b.Exits || !a.Since.Equal(b.Since) || a.Next.Sub(b.Next).Abs() > time.Minute || a.Why != b.Why {
			t.Errorf("it was %+v, and is %+v", a.Status, b.Status)
		}
	}
	if h := now.find("held").Held; h == nil || h.UID != os.Geteuid() {
		t.Errorf("held: %+v", h)
	}
	if !now.Started.Equal(was.Started) || now.Release != "v2" || *now.Reloads != *was.Reloads {
		t.Errorf("it was %+v, and is %+v", was, now)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for file, what := range map[string]string{"half": "^halfother$", "behind": "^up$", "waits": "^late$",
		"checks": "^over$", "numbers": "^300000$"} {
		w.await(filepath.Join(w.dir, file), what)
	}
	var want strings.Builder
	for i := range 300000 {
		fmt.Fprintln(&want, i+1)
	}
	if text := w.read(filepath.Join(w.dir, "numbers")); text != want.String() {
		t.Errorf("output is lost, or doubled: %d bytes, and should be %d", len(text), want.Len())
	}
	for file, want := range map[string]string{"dead": "dead\ndead\n", "once": "once\n", "gate": "gate\n",
		"gated": "token\n", "checks": "check\nover\n", "checked": "up\n", "half": "halfother\n"} {
		if text := w.read(filepath.Join(w.dir, file)); text != want {
			t.Errorf("%s: %q", file, text)
		}
	}
	w.down(p)
}

func (st *state) find(name string) *programState {
	for i := range st.Programs {
		if st.Programs[i].Name == name {
			return &st.Programs[i]
		}
	}
	return &programState{}
}

// promises R2, U1: a storm of signals ends neither program, and what is asked for by the last HUP is in force
func TestUpgradeInAStorm(t *testing.T) {
	to := newer(t)
	w := newWorld(t, oneProgram)
	p := w.up()
	w.await(filepath.Join(w.dir, "up"), "up")
	was := w.pids()
	defer func() {
		if t.Failed() && p.ends(time.Second) {
			t.Logf("the daemon has ended with %d", p.wait(t))
		}
	}()
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			default:
			}
			unix.PidfdSendSignal(p.pidfd,
				[]unix.Signal{unix.SIGHUP, unix.SIGUSR1, unix.SIGCHLD, unix.SIGUSR2, unix.SIGWINCH, unix.SIGALRM}[i%6], nil, 0)
			if i%50 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	for range 5 {
		w.upgrade(to)
	}
	close(over)
	<-ended
	if now := w.pids(); fmt.Sprint(now) != fmt.Sprint(was) {
		t.Errorf("programs were %v, are %v", was, now)
	}
	w.configure(oneProgram + fmt.Sprintf(oneMore, "late"))
	if status, stderr := w.run("reload"); status != 0 {
		t.Fatalf("reload: %d, %s", status, stderr)
	}
	w.await(filepath.Join(w.dir, "late"), "up")
	w.down(p)
}

// promises T2, U1: verbs wait for the new program, and a TERM stops one of the two
func TestUpgradeAndStop(t *testing.T) {
	w := newWorld(t, oneProgram)
	p := w.up()
	w.await(filepath.Join(w.dir, "up"), "up")
	c := w.command("upgrade", "--binary", newer(t))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if status, stdout := w.say("status"); status != 0 {
			t.Errorf("status: %d, %s", status, stdout)
		}
	}
	if status, stderr := w.run("stop"); status != 0 {
		t.Errorf("stop: %d, %s; the log:\n%s", status, stderr, w.read(w.log))
	}
	c.Wait()
	p.wait(t)
	w.empty()
}

// promise U2: what each released version has left can be gone on with
func TestServicesOfBefore(t *testing.T) {
	files, _ := filepath.Glob("testdata/service-*.json")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := rehearse(text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		later := bytes.Replace(text, []byte("{"), []byte(`{"of_later":1,`), 1)
		if _, err := decodeService(later, false); err != nil || rehearse(later) == nil {
			t.Errorf("%s: of a later version: %v, %v", file, err, rehearse(later))
		}
	}
	if len(files) == 0 {
		t.Error("there are none")
	}
}
