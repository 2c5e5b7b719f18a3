package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/control"
)

func (w *world) inForce(timeout, programs string) {
	w.t.Helper()
	text := "pidfile = \"$DIR/pid\"\nshutdown_timeout = \"" + timeout + "\"\nlog.to = \"$DIR/log\"\n" + programs
	if err := os.WriteFile(w.conf, []byte(strings.ReplaceAll(text, "$DIR", w.dir)), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// issue 7.A3: a script can ask; the answer has a version
func TestStatusByHand(t *testing.T) {
	w := newWorld(t, oneProgram)
	p := w.up()
	c, err := net.Dial("unix", control.Path(w.pidfile))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintln(c, `{"jsonrpc":"2.0","id":1,"method":"status"}`)
	var answer struct{ Result state }
	if err := json.NewDecoder(c).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	s := answer.Result
	if s.Version != 1 || s.Name != "keepalivedd" || s.PID != p.pid || s.State != "running" || s.PIDFile != w.pidfile ||
		s.Configuration != w.conf ||
		len(s.Programs) != 1 || s.Programs[0].Name != "one" {
		t.Errorf("%+v", s)
	}
	w.down(p)
}

// openWorld is one that other users reach, which t.TempDir need not be.
func openWorld(t *testing.T, programs string) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it runs a process as another user")
	}
	dir, err := os.MkdirTemp("/tmp", "keepalivedd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return worldIn(t, dir, programs)
}

// hostile is this binary as another user, who squats the abstract names of the owner of a pidfile, those it had once
// too, or connects to whatever there is in a loop. It says when it has begun.
func hostile() {
	how, path := os.Args[1], os.Args[2]
	var st unix.Stat_t
	unix.Stat(filepath.Dir(path), &st)
	var names []string
	for _, base := range []string{"pid", "conf.toml"} {
		names = append(names, fmt.Sprintf("@pidfile/%x/%x/%s", st.Dev, st.Ino, base))
	}
	switch how {
	case "squat":
		for _, name := range names {
			fd, _ := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
				fmt.Println(err)
			}
			unix.Listen(fd, 100)
		}
		fmt.Println("ready")
		time.Sleep(time.Hour) // a select without cases is a deadlock to the runtime
	case "flood":
		names = append(names, control.Path(path))
		for n := 0; ; n++ {
			if n == 1000 {
				fmt.Println("ready")
			}
			for _, name := range names {
				fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
				if err == nil {
					unix.Connect(fd, &unix.SockaddrUnix{Name: name})
					unix.Close(fd)
				}
			}
		}
	}
}

// besiege has another user be hostile until the test ends.
func (w *world) besiege(how string) (end func()) {
	w.t.Helper()
	b, err := os.ReadFile("/proc/self/exe")
	copied := filepath.Join(w.t.TempDir(), "hostile")
	for dir := filepath.Dir(copied); err == nil && dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(copied, b, 0o755)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	c := exec.Command(copied, how, w.pidfile)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	end = func() {
		c.Process.Kill()
		c.Wait()
	}
	w.t.Cleanup(end)
	line := make([]byte, 100)
	if n, err := out.Read(line); string(line[:n]) != "ready\n" {
		w.t.Fatalf("it says %q, %v", line[:n], err)
	}
	return end
}

// issue 7.A3, promise Q2: a stranger who has taken an abstract name before the start, or who connects all the time,
// turns no answer into another
func TestHostileStranger(t *testing.T) {
	for _, how := range []string{"squat", "flood"} {
		t.Run(how, func(t *testing.T) {
			w := openWorld(t, `
[program.down]
command = ["/bin/false"]
restart_delay = { min = "60s", max = "60s" }
`)
			leave := func() {}
			if how == "squat" {
				leave = w.besiege(how)
			}
			if status, _ := w.run(); status != 0 { // with a warning, of the name
				t.Fatal(status)
			}
			p := w.daemon()
			if how == "flood" {
				leave = w.besiege(how)
			}
			before := cpu(t, p.pid)
			w.await(w.log, "program down: .*restarting in")
			for range 3 {
				if status, stdout := w.say("status"); status != 150 || !strings.Contains(stdout, "programs up: 0 of 1") {
					t.Fatalf("status: %d, %q", status, stdout)
				}
			}
			other := filepath.Join(w.dir, "other")
			w.inForce("20s", "")
			text := strings.Replace(w.read(w.conf), w.pidfile, other, 1)
			os.WriteFile(w.conf, []byte(text), 0o644)
			if status, stderr := w.run("reload"); status != 6 || !strings.Contains(stderr, "pidfile cannot change") {
				t.Errorf("reload: status %d, %q", status, stderr)
			}
			if status, stderr := w.run(); status != 100 {
				t.Errorf("start: status %d, %q", status, stderr)
			}
			t.Logf("the daemon has used %v", cpu(t, p.pid)-before)
			if status, stderr := w.run("stop"); status != 0 {
				t.Errorf("stop: status %d, %q", status, stderr)
			}
			leave()
			w.empty()
		})
	}
}

// cpu is what a process has used.
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// issue 7.A3: a shortage of descriptors does not end answering for good
func TestAnswersAfterAShortage(t *testing.T) {
	w := newWorld(t, oneProgram)
	p := w.up()
	var limit unix.Rlimit
	fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid))
	highest := 0
	for _, fd := range fds {
		n, _ := strconv.Atoi(fd.Name())
		highest = max(highest, n)
	}
	for _, room := range []uint64{0, uint64(highest)} { // none at all, and none but holes
		if err := unix.Prlimit(p.pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
			t.Fatal(err)
		}
		if err := unix.Prlimit(p.pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: room, Max: limit.Max}, nil); err != nil {
			t.Fatal(err)
		}
		var waiting []net.Conn
		for range 10 {
			c, err := net.Dial("unix", control.Path(w.pidfile))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			fmt.Fprintln(c, `{"jsonrpc":"2.0","id":1,"method":"status"}`)
			waiting = append(waiting, c)
		}
		if err := unix.Prlimit(p.pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
			t.Fatal(err)
		}
		for _, c := range waiting {
			c.SetDeadline(time.Now().Add(patience))
			if n, err := c.Read(make([]byte, 10)); n == 0 {
				t.Fatal(err)
			}
		}
		if status, stdout := w.say("status"); status != 0 {
			t.Errorf("status %d, %q", status, stdout)
		}
	}
	w.down(p)
}

// promise Q2: those of the daemon's own user who connect and say nothing keep root, who asks, waiting for 2 s at most.
func TestSilentAskers(t *testing.T) {
	w := newWorld(t, oneProgram)
	p := w.up()
	for range 100 {
		c, err := net.Dial("unix", control.Path(w.pidfile))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if status, stdout := w.say("status"); status != 0 {
		t.Errorf("status %d, %q", status, stdout)
	}
	w.down(p)
}
