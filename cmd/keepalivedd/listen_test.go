package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// pythonListener takes its first socket as systemd's protocol has it, or listens on its second argument by itself,
// tells that it is ready, and answers everybody who connects. TERM ends it between two of them.
const pythonListener = `
import os, select, signal, socket, sys
wake, alarm = os.pipe()
os.set_blocking(alarm, False)
signal.set_wakeup_fd(alarm)
signal.signal(signal.SIGTERM, lambda *_: None)
if len(sys.argv) > 1:
    host, port = sys.argv[1].split(":")
    s = socket.create_server((host, int(port)))
else:
    assert os.environ["LISTEN_PID"] == str(os.getpid()) and os.environ["LISTEN_FDS"] == "1", os.environ
    s = socket.fromfd(3, socket.AF_INET, socket.SOCK_STREAM)
    os.write(4, b"\n")
while wake not in (ready := select.select([s, wake], [], [])[0]):
    c, _ = s.accept()
    with c:
        c.recv(100)
        c.sendall(b"%d\n" % os.getpid())
`

// python returns the configuration of a program that is a pythonListener.
func (w *world) python(arguments ...string) string {
	w.t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		w.t.Skip("needs python3: a program that takes its sockets is written in it")
	}
	script := filepath.Join(w.dir, "listener.py")
	if err := os.WriteFile(script, []byte(pythonListener), 0o644); err != nil {
		w.t.Fatal(err)
	}
	words := make([]string, 0, 4)
	for _, word := range append([]string{python, script}, arguments...) {
		words = append(words, strconv.Quote(word))
	}
	return "[program.web]\nrestart_delay = { min = \"10ms\", max = \"10ms\" }\ncommand = [" + strings.Join(words, ", ") +
		"]\n"
}

// loopback is an address that nobody else on this machine has.
func loopback() string {
	return fmt.Sprintf("127.%d.%d.%d:7000", 1+rand.IntN(250), 1+rand.IntN(250), 1+rand.IntN(250))
}

// askListener connects, and returns the PID of who answers.
func askListener(at string) (string, error) {
	c, err := net.Dial("tcp", at)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	fmt.Fprintln(c, "?")
	return bufio.NewReader(c).ReadString('\n')
}

// promise K1: over ten restarts, and over reloads, a client is never refused, and always answered.
func TestListenPython(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	at := loopback()
	program := w.python() + fmt.Sprintf("ready = \"fd:4\"\nrequired = true\nlisten = [\"tcp:%s\"]\n", at)
	w.configure(program)
	d := w.up()

	var over atomic.Bool
	var asked atomic.Int64
	var client sync.WaitGroup
	client.Go(func() {
		for !over.Load() {
			if _, err := askListener(at); err != nil {
				t.Error(err)
				return
			}
			asked.Add(1)
		}
	})
	for range 10 {
		for before := asked.Load(); asked.Load() == before && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		if status, stderr := w.run("restart", "web"); status != 0 {
			t.Fatalf("restart: status %d, %s", status, stderr)
		}
	}
	if status, out := w.say("reload"); status != 0 || strings.TrimSpace(out) != "no program changed" {
		t.Errorf("a reload that changes nothing: status %d, %q", status, out)
	}
	w.configure(program + "environment = { A = \"1\" }\n")
	if status, out := w.say("reload"); status != 0 || strings.TrimSpace(out) != "~web" {
		t.Errorf("a reload: status %d, %q", status, out)
	}
	if status, stderr := w.run("-t"); status != 0 || stderr != "" {
		t.Errorf("-t, while the daemon listens: status %d, %q", status, stderr)
	}
	if status, stderr := w.run("down", "web"); status != 0 {
		t.Errorf("down: status %d, %s", status, stderr)
	}
	if _, out := w.say("status", "web"); !strings.Contains(out, "listens on tcp:"+at+"\n") {
		t.Errorf("status web says %s", out)
	}
	if status, stderr := w.run("up", "web"); status != 0 {
		t.Errorf("up: status %d, %s", status, stderr)
	}
	over.Store(true)
	client.Wait()
	w.down(d)
	if c, err := net.Dial("tcp", at); err == nil {
		c.Close()
		t.Error("it is listened on after the stop")
	}
}

// promises K1, S8, S9: an address that somebody has is told with who it is, by -t, by a start, by a reload and by the
// log; the program comes up once it is free.
func TestListenInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	at := loopback()
	other, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	w.configure(w.python() + fmt.Sprintf("ready = \"fd:4\"\nlisten = [\"tcp:%s\"]\n", at))
	want := fmt.Sprintf("tcp:%s: the address is in use by %s (pid %d)", at, strings.TrimSpace(w.read("/proc/self/comm")),
		os.Getpid())
	if status, stderr := w.run("-t"); status != 6 ||
		!strings.Contains(stderr, "conf.toml:9:11: program.web.listen: "+want) {
		t.Errorf("-t: status %d, %s, want %s", status, stderr, want)
	}
	if status, stderr := w.run(); status != 0 || !strings.Contains(stderr, want+"; the program is tried again") {
		t.Errorf("start: status %d, %s, want %s", status, stderr, want)
	}
	d := w.daemon()
	if status, stderr := w.run("reload"); status != 6 || !strings.Contains(stderr, want) {
		t.Errorf("reload: status %d, %s, want %s", status, stderr, want)
	}
	w.await(w.log, "program web: cannot be started: listen: "+regexp.QuoteMeta(want))
	other.Close()
	if _, err := askListener(at); err != nil {
		for err != nil { // it is tried again in its time
			time.Sleep(10 * time.Millisecond)
			_, err = askListener(at)
		}
	}
	if status, stderr := w.run("reload"); status != 0 {
		t.Errorf("reload: status %d, %s", status, stderr)
	}
	w.down(d)
}

// A program that listens by itself is no fault for the configuration that has the daemon do it.
func TestListenInPlaceOfTheProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	at := loopback()
	w.configure(w.python(at))
	d := w.up()
	var err error
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err = askListener(at); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	w.configure(w.python() + fmt.Sprintf("ready = \"fd:4\"\nlisten = [\"tcp:%s\"]\n", at))
	if status, stderr := w.run("-t"); status != 0 {
		t.Errorf("-t: status %d, %s", status, stderr)
	}
	if status, out := w.say("reload"); status != 0 || strings.TrimSpace(out) != "~web" {
		t.Errorf("reload: status %d, %q", status, out)
	}
	if _, out := w.say("up", "web"); !strings.Contains(out, "up") {
		t.Errorf("up says %q", out)
	}
	if _, err := askListener(at); err != nil {
		t.Error(err)
	}
	w.down(d)
}
