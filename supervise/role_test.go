package supervise_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/supervise"
)

// play is this test's executable in another role, as a process of its own.
func play(role string) int {
	mark, fifo := os.Getenv("ROLE_MARK"), os.Getenv("FIFO")
	switch role {
	case "start": // after a kill -9
		fmt.Println(supervise.EndLeftovers(mark))
		return 0
	case "parting":
		return part()
	case "sessions":
		endOwnSession()
		return 0
	case "listener":
		return beListener(fifo)
	case "notifier":
		return beNotifier(fifo)
	case "daemon", "init":
		s := supervise.New(supervise.Options{Log: slog.New(slog.DiscardHandler), Helper: true, Mark: mark,
			Orphans: role == "init", Cgroup: os.Getenv("ROLE_CGROUP")})
		var programs []supervise.Program
		for i, script := range []string{os.Getenv("ROLE_GROUP"), os.Getenv("ROLE_PROCESS")} {
			name := []string{"group", "process"}[i]
			if script != "" {
				p := supervise.Program{Name: name, Command: []string{"/bin/sh", "-c", script}, Kill: supervise.Kill(i),
					Environment: map[string]string{"FIFO": fifo, "NAME": name}}
				if os.Getenv("ROLE_LIMIT") != "" {
					p.Setup = &supervise.Setup{Limits: []supervise.Limit{{Name: "nofile", Resource: unix.RLIMIT_NOFILE, Soft: 100,
						Hard: 100}}}
				}
				programs = append(programs, p)
			}
		}
		fmt.Println("applied", s.Apply(context.Background(), programs))
		if role == "init" {
			io.Copy(io.Discard, os.Stdin)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			fmt.Println("stopped", s.Stop(ctx))
			return 0
		}
		select {}
	}
	return 2
}

// role is a command that has this test's executable play a role.
func (w *world) role(role string, environment ...string) *exec.Cmd {
	w.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), "SUPERVISE_ROLE="+role, "FIFO="+w.fifo)
	c.Env = append(c.Env, environment...)
	return c
}

// begin starts a command that is killed at the end of the test.
func (w *world) begin(c *exec.Cmd) {
	w.t.Helper()
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
}

// collect returns n that have announced themselves, by name.
func (w *world) collect(n int) map[string]int {
	w.t.Helper()
	pids := map[string]int{}
	for range n {
		name, pid := w.next()
		pids[name] = pid
	}
	return pids
}

// lives checks that a process has not ended, and ends it with the test.
func lives(t *testing.T, what string, pid int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || strings.Contains(string(b), ") Z ") {
		t.Errorf("%s, process %d, has been killed", what, pid)
		return
	}
	t.Cleanup(func() { unix.Kill(pid, unix.SIGKILL) })
}

// promise C3: no ignored signals, whatever whoever started us had set to be ignored
func TestIgnoredSignals(t *testing.T) {
	w := newWorld(t, supervise.Options{})
	c := w.role("daemon", `ROLE_GROUP=NAME="$(grep SigIgn /proc/self/status | cut -f2)"; `+announce+hold,
		`ROLE_PROCESS=trap 'echo "hup 0" >"$FIFO"' HUP; `+announce+`while :; do sleep 1 & wait; done`)
	script := "trap ''"
	for n := 1; n <= 31; n++ {
		if n != int(unix.SIGKILL) && n != int(unix.SIGSTOP) {
			script += fmt.Sprint(" ", n)
		}
	}
	c.Args = []string{"sh", "-c", script + `; exec "$0"`, c.Path}
	c.Path = "/bin/sh"
	w.begin(c)
	pids := w.collect(2)
	for name := range pids {
		// 32 to 34 are the C library's own: make, which starts tests, has them ignored, and the Go runtime catches none.
		if mask, err := strconv.ParseUint(name, 16, 64); err == nil && mask&^(7<<31) != 0 {
			t.Errorf("signals that are ignored: %#x", mask)
		}
	}
	unix.Kill(c.Process.Pid, unix.SIGHUP) // which is still without effect on this one
	unix.Kill(pids["process"], unix.SIGHUP)
	w.expect("hup")
	lives(t, "the daemon", c.Process.Pid)
}

// issue 7.B6: the executable of this process is replaced, or goes away
func TestHelperIsReplaced(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"removed":  os.Remove,
		"replaced": func(path string) error { os.Remove(path); return os.WriteFile(path, []byte("#!/bin/false\n"), 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, supervise.Options{})
			c := w.role("daemon", `ROLE_GROUP=NAME="$(cat /proc/$$/comm)-$(ulimit -n)"; `+announce+hold, "ROLE_LIMIT=1")
			old := c.Path
			c.Path = t.TempDir() + "/daemon"
			if err := os.Link(old, c.Path); err != nil {
				b, err := os.ReadFile(old)
				if err == nil {
					err = os.WriteFile(c.Path, b, 0o755)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			stdout, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			w.begin(c)
			if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "applied <nil>\n" {
				t.Fatalf("%q, %v", line, err)
			}
			pid := w.expect("sh-100")
			if err := change(c.Path); err != nil {
				t.Fatal(err)
			}
			unix.Kill(pid, unix.SIGKILL)
			w.expect("sh-100")
		})
	}
}
