package main

import (
	"errors"
	"fmt"
	"io/fs"
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

// promise T3, issue 8.5: after a kill -9, without cgroups, the next start ends who has cleared its environment; what is
// noted for that is nobody's else to read or to replace, and goes with the daemon
func TestSessionsAfterKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `cgroups = "off"
[program.one]
command = ["/bin/sh", "-c", "set -m; env -i sh -c 'echo $$ >$DIR/bare.new; mv $DIR/bare.new $DIR/bare; exec tail -f $DIR/conf.toml >/dev/null' & echo up >>$DIR/up; exec tail -f $DIR/up"]
`)
	noted, elsewhere := sessionsFile(w.pidfile), filepath.Join(w.dir, "elsewhere")
	os.WriteFile(elsewhere, []byte("mine\n"), 0o644)
	if err := os.Symlink(elsewhere, noted); err != nil {
		t.Fatal(err)
	}
	p := w.up()
	w.await(filepath.Join(w.dir, "bare"), "^[0-9]+$")
	_, text := w.say("status", "--json", "one")
	pid := strings.TrimSuffix(strings.TrimSpace(lineWith(text, "\t\t\t\"pid\": ")[len("\t\t\t\"pid\": "):]), ",")
	w.await(noted, "^"+pid+" [0-9]+$")
	if st, err := os.Lstat(noted); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if text := w.read(elsewhere); text != "mine\n" {
		t.Errorf("the link was followed: %q", text)
	}
	n, _ := strconv.Atoi(strings.TrimSpace(w.read(filepath.Join(w.dir, "bare"))))
	bare, err := hold(n)
	if err != nil {
		t.Fatal(err)
	}
	defer bare.close()
	p.signal(t, unix.SIGKILL)
	p.wait(t)
	if bare.ends(0) {
		t.Fatal("it has died with the daemon: the test is void")
	}
	if status, stderr := w.run(); status != 0 || !strings.Contains(stderr, "stale pidfile") {
		t.Fatalf("start: %d, %q", status, stderr)
	}
	p = w.daemon()
	if !bare.ends(patience) {
		t.Error("it lives on")
	}
	w.await(w.log, fmt.Sprintf("had left behind.*\\b%d\\b", n))
	w.down(p)
	if _, err := os.Lstat(noted); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was noted is left: %v", err)
	}
}

// promise T3, issue 8.5: a process of kill = "process" that has become another user, as atd has, has no death signal:
// after a kill -9 the next start ends it, and not what it has started
func TestWhoBecameAnotherUserAfterKill(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it becomes another user")
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("needs setpriv")
	}
	w := newWorld(t, `[program.one]
command = ["/bin/sh", "-c", "setsid sh -c 'echo $$ >$DIR/job.new; mv $DIR/job.new $DIR/job; exec sleep 1000' >/dev/null 2>&1 & echo $$ >$DIR/main.new; mv $DIR/main.new $DIR/main; echo up >>$DIR/up; exec setpriv --reuid=65534 --clear-groups sleep 1000"]
kill = "process"
`)
	p := w.up()
	announced := func(name string) *process {
		t.Helper()
		path := filepath.Join(w.dir, name)
		w.await(path, "^[0-9]+$")
		n, _ := strconv.Atoi(strings.TrimSpace(w.read(path)))
		h, err := hold(n)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(path) // the next start announces its own
		t.Cleanup(func() { unix.Kill(n, unix.SIGKILL); h.close() })
		return h
	}
	main, job := announced("main"), announced("job")
	became := fmt.Sprintf("/proc/%d/status", main.pid) // of whose changes nobody tells
	for end := time.Now().Add(time.Minute); !strings.Contains(w.read(became), "\nUid:\t65534\t65534\t"); {
		if time.Sleep(time.Millisecond); time.Now().After(end) {
			t.Fatal(w.read(became))
		}
	}
	w.await(sessionsFile(w.pidfile), fmt.Sprintf("^%d [0-9]+ alone$", main.pid))
	p.signal(t, unix.SIGKILL)
	p.wait(t)
	if main.ends(0) {
		t.Fatal("it has died with the daemon: the test is void")
	}
	if status, stderr := w.run(); status != 0 || !strings.Contains(stderr, "stale pidfile") {
		t.Fatalf("start: %d, %q", status, stderr)
	}
	p = w.daemon()
	if !main.ends(patience) {
		t.Error("it lives on")
	}
	if job.ends(0) {
		t.Error("what it has started has ended")
	}
	for _, job := range []*process{job, announced("job")} {
		job.signal(t, unix.SIGKILL)
		job.ends(patience)
	}
	w.down(p)
}

// promise T3: what somebody else may have written is not believed, nor what is of another boot
func TestReadSessions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.programs")
	all := []supervise.Session{{PID: 9, Start: 3, Alone: true}, {PID: 5, Start: 1 << 60}}
	byPID := []supervise.Session{all[1], all[0]}
	right := string(sessionsText(supervise.Era(), all))
	for _, test := range []struct {
		text string
		mode fs.FileMode
		want int
	}{
		{right, 0o600, 2}, {right, 0o644, 2}, {right, 0o620, 0}, {right, 0o602, 0}, {"", 0o600, 0}, {"garbage", 0o600, 0},
		{right + "5\n", 0o600, 0}, {string(sessionsText("another era", all)), 0o600, 0}, {right[:len(right)-3], 0o600, 0},
		{string(sessionsText(supervise.Era(), nil)), 0o600, 0},
	} {
		os.Remove(path)
		os.WriteFile(path, []byte(test.text), 0o600)
		os.Chmod(path, test.mode)
		if got := readSessions(path); len(got) != test.want || test.want == 2 && !slices.Equal(got, byPID) {
			t.Errorf("%q, %v: %v", test.text, test.mode, got)
		}
	}
	os.Remove(path)
	if err := os.Symlink(path+".real", path); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(path+".real", []byte(right), 0o600)
	if got := readSessions(path); got != nil {
		t.Errorf("a link: %v", got)
	}
	os.Remove(path)
	unix.Mkfifo(path, 0o600)
	if got := readSessions(path); got != nil { // and it does not wait
		t.Errorf("a FIFO: %v", got)
	}
	if os.Geteuid() == 0 {
		os.Remove(path)
		os.WriteFile(path, []byte(right), 0o600)
		os.Chown(path, 65534, -1)
		if got := readSessions(path); got != nil {
			t.Errorf("a stranger's: %v", got)
		}
	}
}
