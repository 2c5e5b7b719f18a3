//go:build linux

package daemon_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// promise S1, T1, P4
func TestLife(t *testing.T) {
	w := newWorld(t, "")
	pid := w.up()
	w.expect("start")
	w.signal(pid, unix.SIGHUP)
	w.expect("reload")
	w.signal(pid, unix.SIGUSR1)
	w.expect("dump")
	w.signal(pid, unix.SIGTERM)
	w.expect("stop")
	if status := w.end(pid); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	w.gone()
}

// issue 12.2: a program that goes on after Run has its signals back; in one that exits they stay caught.
func TestSignalsAfterRun(t *testing.T) {
	for does, want := range map[string]int{"is-stopped-again": 128 + int(unix.SIGTERM), "is-stopped-again exits": 0} {
		w := newWorld(t, does)
		pid := w.up()
		w.expect("start")
		w.signal(pid, unix.SIGTERM)
		w.expect("stop")
		if want == 0 {
			w.expect("lives on")
		}
		if status := w.end(pid); status != want {
			t.Errorf("%s: it ended with %d, want %d", does, status, want)
		}
		w.gone()
	}
}

// promise S1: nothing to do is something that can be done
func TestNoHooks(t *testing.T) {
	w := newWorld(t, "no-hooks")
	pid := w.up()
	w.signal(pid, unix.SIGHUP)
	w.signal(pid, unix.SIGUSR1)
	w.signal(pid, unix.SIGUSR2)
	w.signal(pid, unix.SIGTERM)
	if status := w.end(pid); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	w.gone()
}

// promise S2
func TestFailedStartIsTold(t *testing.T) {
	for does, want := range map[string]struct {
		status int
		text   string
	}{
		"start-fails":        {1, "testd: open /etc/testd: no such thing"},
		"start-is-forbidden": {4, "testd: open /etc/testd: permission denied"},
		"start-panics":       {2, "out of cheese"},
		"start-exits":        {3, "testd: three"},
		"start-leaves":       {5, "testd: it ended with status 5 before it was ready, and did not say why\n"},
		"start-dies":         {1, "testd: it died before it was ready: signal: killed"},
		"leaves-a-child":     {3, "testd: child"},
	} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t, does)
			status, stderr := w.start()
			if status != want.status || !strings.Contains(stderr, want.text) {
				t.Errorf("status %d, %q; want %d and %q", status, stderr, want.status, want.text)
			}
			var child int
			if fmt.Sscanf(stderr, "testd: child %d", &child); child != 0 {
				w.signal(child, unix.SIGKILL)
				w.end(child)
			}
			if does != "leaves-a-child" && does != "start-dies" && does != "start-panics" && does != "start-exits" &&
				does != "start-leaves" {
				w.noDaemon()
			}
			w.gone()
		})
	}
}

// promise S3
func TestSecondStart(t *testing.T) {
	w := newWorld(t, "")
	pid := w.up()
	for _, does := range []string{".", "foreground"} {
		status, stderr := w.start(func(c *exec.Cmd) { c.Env = append(c.Env, "DAEMON_TEST="+does) })
		if want := fmt.Sprintf("testd: already running, pid %d (pidfile %s)\n", pid, w.pidfile); status != 100 ||
			stderr != want {
			t.Errorf("%s: status %d, %q; want 100 and %q", does, status, stderr, want)
		}
	}
	if got := w.pid(); got != pid {
		t.Errorf("the pidfile names %d, not %d", got, pid)
	}
}

// promise S5
func TestStartTimeout(t *testing.T) {
	for _, does := range []string{"start-waits", "start-hangs"} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t, does)
			w.env = append(w.env, "DAEMON_TIMEOUT=300ms", "DAEMON_GRACE=300ms")
			status, stderr := w.start()
			if status != 1 || !strings.Contains(stderr, "testd: not ready after 300ms") {
				t.Errorf("status %d, %q", status, stderr)
			}
			w.gone()
			w.noDaemon()
		})
	}
}

// promise S6
func TestNothingOfTheCallerReachesTheDaemon(t *testing.T) {
	w := newWorld(t, "tells-its-state")
	r, wr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.env = append(w.env, "_GO_DAEMON=1", "NOTIFY_SOCKET=@nowhere")
	master, slave := pty(t)
	defer master.Close()
	old := syscall.Umask(0o077)
	pid := w.up(func(c *exec.Cmd) {
		c.Dir = t.TempDir()
		c.Stdin = slave
		c.Stdout = wr
		c.ExtraFiles = []*os.File{wr, slave}
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	})
	syscall.Umask(old)
	wr.Close()
	slave.Close()
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the caller's pipe: read %d, %v", n, err)
	}
	w.expect("start")
	w.signal(pid, unix.SIGUSR1)
	w.expect(`cwd=/ umask=022 leader=true tty=false fds=[0=/dev/null 1=/dev/null 2=/dev/null] mark="" handover="" ` +
		`notify="" comm-is-right=true unblocked=true`)
}

func TestEnv(t *testing.T) {
	w := newWorld(t, "tells-its-env")
	w.env = append(w.env, "GIVEN=theirs")
	pid := w.up()
	w.expect("start")
	w.signal(pid, unix.SIGUSR1)
	w.expect("dump")
	w.expect("ours theirs")
}

// promise S6: start | cat ends
func TestStartInAPipeline(t *testing.T) {
	w := newWorld(t, "")
	cat := exec.Command("sh", "-c", `"$0" 9>&1 | cat`, w.command().Path)
	cat.Env = w.env
	if out, err := cat.CombinedOutput(); err != nil || len(out) != 0 {
		t.Fatalf("%v, %q", err, out)
	}
	pid := w.pid()
	w.signal(pid, unix.SIGTERM)
	w.end(pid)
}

// promise S2: a start whose caller has been killed is called off
func TestKilledLauncher(t *testing.T) {
	w := newWorld(t, "start-waits")
	c := w.command()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w.expect("start")
	copied := w.pid()
	c.Process.Kill()
	c.Wait()
	w.expect("called off")
	w.end(copied)
	w.gone()
}

// promise R2, T2
func TestTermDuringAHook(t *testing.T) {
	t.Run("start", func(t *testing.T) {
		w := newWorld(t, "start-waits")
		c := w.command()
		stderr := new(strings.Builder)
		c.Stderr = stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		w.expect("start")
		w.signal(w.pid(), unix.SIGTERM)
		w.expect("called off")
		if err := c.Wait(); err == nil || stderr.Len() == 0 {
			t.Errorf("the start ended with %v, %q", err, stderr)
		}
		w.gone()
	})
	t.Run("reload", func(t *testing.T) {
		w := newWorld(t, "reload-waits")
		log := filepath.Join(t.TempDir(), "log")
		w.env = append(w.env, "DAEMON_LOG="+log)
		pid := w.up()
		w.expect("start")
		w.signal(pid, unix.SIGHUP)
		w.expect("reload")
		w.signal(pid, unix.SIGHUP)
		w.signal(pid, unix.SIGTERM)
		w.expect("stop")
		if status := w.end(pid); status != 0 {
			t.Errorf("it ended with %d", status)
		}
		w.gone()
		// promise R4: nothing goes on as before then
		if text, _ := os.ReadFile(log); !strings.Contains(string(text), "reload called off by the stop") ||
			strings.Contains(string(text), "as before") {
			t.Errorf("the log says:\n%s", text)
		}
	})
	t.Run("stop: the second ends the waiting", func(t *testing.T) {
		w := newWorld(t, "stop-waits")
		pid := w.up()
		w.expect("start")
		w.signal(pid, unix.SIGTERM)
		w.expect("stop")
		w.signal(pid, unix.SIGTERM)
		w.expect("stopped by force")
		if status := w.end(pid); status != 0 {
			t.Errorf("it ended with %d", status)
		}
		w.gone()
	})
}

// promise T1: bounded, and the pidfile goes even so
func TestStopIsBounded(t *testing.T) {
	w := newWorld(t, "stop-hangs")
	w.env = append(w.env, "DAEMON_GRACE=100ms")
	pid := w.up()
	w.signal(pid, unix.SIGTERM)
	if status := w.end(pid); status != 1 {
		t.Errorf("it ended with %d", status)
	}
	w.gone()
}

// promise R1, R2
func TestReloads(t *testing.T) {
	w := newWorld(t, "reload-fails")
	pid := w.up()
	w.expect("start")
	for range 3 {
		w.signal(pid, unix.SIGHUP)
		w.expect("reload")
	}
	for range 1000 {
		w.signal(pid, unix.SIGHUP)
	}
	w.signal(pid, unix.SIGTERM)
	for {
		line, err := w.events.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "stop\n" {
			break
		}
	}
	if status := w.end(pid); status != 0 {
		t.Errorf("it ended with %d", status)
	}
}

// promise P5, R2: from the instant that the pidfile names it, a HUP or a TERM is not deadly and not lost
func TestSignalAtOnce(t *testing.T) {
	for range 20 {
		w := newWorld(t, "")
		pid := w.up()
		w.signal(pid, unix.SIGHUP)
		w.signal(pid, unix.SIGTERM)
		if status := w.end(pid); status != 0 {
			t.Fatalf("it ended with %d", status)
		}
		w.gone()
	}
}

func TestFail(t *testing.T) {
	for does, want := range map[string]struct {
		status int
		text   string
	}{"fails-later": {1, "testd: it fell over\n"}, "ends-later": {0, ""}} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t, does+" foreground")
			status, stderr := w.start()
			if status != want.status || stderr != want.text {
				t.Errorf("status %d, %q", status, stderr)
			}
			w.expect("start")
			w.expect("stop")
			w.gone()
		})
	}
}

// promise P3: rm and start
func TestStartAfterRemove(t *testing.T) {
	w := newWorld(t, "")
	pid := w.up()
	for range 20 {
		os.Remove(w.pidfile)
		if status, stderr := w.start(); status != 100 {
			t.Fatalf("status %d, %q", status, stderr)
		}
	}
	w.signal(pid, unix.SIGTERM)
	w.end(pid)
	w.gone()
}

// promise S4: fifty at once, and each round one daemon and one status 0
func TestStorm(t *testing.T) {
	rounds, starters := 5, 50
	if testing.Short() {
		rounds = 1
	}
	w := newWorld(t, "no-hooks")
	for range rounds {
		statuses := make(chan int)
		for range starters {
			go func() {
				c := w.command()
				c.Run()
				statuses <- c.ProcessState.ExitCode()
			}()
		}
		count := map[int]int{}
		for range starters {
			count[<-statuses]++
		}
		if count[0] != 1 || count[100] != starters-1 {
			t.Fatalf("statuses %v", count)
		}
		pid := w.pid()
		w.signal(pid, unix.SIGTERM)
		if status := w.end(pid); status != 0 {
			t.Fatalf("it ended with %d", status)
		}
		w.noDaemon()
	}
}
