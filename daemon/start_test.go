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

	"github.com/keepalivedd/keepalivedd/internal/fdtest"
)

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

// promise S2: what a copy has left that was killed, or has left from within a hook, is ended before anybody else
// starts; one that has come to its end is let be
func TestLeftByTheCopy(t *testing.T) {
	for does, status := range map[string]int{"start-dies": 1, "start-panics": 2, "start-leaves": 5, "start-fails": 1} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t, does+" says-who-is-left")
			if got, stderr := w.start(); got != status {
				t.Errorf("status %d, %q", got, stderr)
			}
			w.expect("start")
			if does != "start-fails" {
				w.expect("left, held: true")
			}
			w.gone()
			if err := os.WriteFile(filepath.Join(filepath.Dir(w.pidfile), "events"), []byte("over\n"), 0); err != nil {
				t.Fatal(err)
			}
			w.expect("over")
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

// promise S5: and the caller is told so once, not by the copy as well, however that tells why it has ended
func TestStartTimeout(t *testing.T) {
	for _, does := range []string{"start-waits", "start-hangs", "start-waits main", "start-waits tells-its-log"} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t, does)
			w.env = append(w.env, "DAEMON_TIMEOUT=300ms", "DAEMON_GRACE=300ms")
			status, stderr := w.start()
			if status != 1 || !strings.HasSuffix(stderr, "testd: not ready after 300ms, so it was stopped\n") ||
				strings.Contains(stderr, "called off") {
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
	master, slave := fdtest.PTY(t)
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
