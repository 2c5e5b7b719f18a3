package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const plainAndHelped = `
[program.plain]
command = ["/bin/sleep", "1000"]
[program.helped]
command = ["/bin/sleep", "1000"]
umask = "027"
`

// issue 8.2: what the daemon starts dies with its main thread alone, which is the one that survives an exec.
func TestMainThreadForks(t *testing.T) {
	w := newWorld(t, plainAndHelped)
	p := w.up()
	w.mainThreadForks()
	w.down(p)
}

// issue 8.2: nor does it in the foreground, however that is asked for.
func TestMainThreadForksInForeground(t *testing.T) {
	for _, flag := range []string{"-n", "-ln", "--dont-fork=true"} {
		t.Run(flag, func(t *testing.T) {
			w := newWorld(t, plainAndHelped)
			c := w.command(flag)
			var out bytes.Buffer
			c.Stderr = &out
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			w.await(w.pidfile, `^\d+$`)
			for end := time.Now().Add(patience); time.Now().Before(end); {
				if status, _ := w.say("status"); status == 0 {
					break
				}
			}
			w.mainThreadForks()
			c.Process.Signal(unix.SIGTERM)
			if err := c.Wait(); err != nil {
				t.Errorf("%v: %s", err, &out)
			}
		})
	}
}

func (w *world) mainThreadForks() {
	w.t.Helper()
	pid := strings.TrimSpace(w.read(w.pidfile))
	threads := must(os.ReadDir("/proc/" + pid + "/task"))
	for _, th := range threads {
		children := strings.Fields(string(must(os.ReadFile("/proc/" + pid + "/task/" + th.Name() + "/children"))))
		if n := len(children); th.Name() == pid && n != 2 || th.Name() != pid && n != 0 {
			w.t.Errorf("thread %s of %s has %v", th.Name(), pid, children)
		}
	}
}

// issue 12.1: main is left without a thread of its own only where nothing can come to be forked.
func TestOnlyLaunches(t *testing.T) {
	for line, want := range map[string]bool{
		"": true, "-f a -p b": true, "-p b -f a start": true, "status -f a web": true, "restart web": true,
		"-n": false, "-f a -n": false, "-p b -ln start": false, "--dont-fork": false, "-D": false, "-fa": false,
		"-f -p -n": false, "pipe 3 umask -- /bin/a": false, "1s 1s -- /bin/a": false,
	} {
		if got := onlyLaunches(append([]string{name}, strings.Fields(line)...)); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}
