package main

import (
	"os"
	"strings"
	"testing"
)

// issue 8.2: what the daemon starts dies with its main thread alone, which is the one that survives an exec.
func TestMainThreadForks(t *testing.T) {
	w := newWorld(t, `
[program.plain]
command = ["/bin/sleep", "1000"]
[program.helped]
command = ["/bin/sleep", "1000"]
umask = "027"
`)
	p := w.up()
	pid := strings.TrimSpace(w.read(w.pidfile))
	threads := must(os.ReadDir("/proc/" + pid + "/task"))
	for _, th := range threads {
		children := strings.Fields(string(must(os.ReadFile("/proc/" + pid + "/task/" + th.Name() + "/children"))))
		if n := len(children); th.Name() == pid && n != 2 || th.Name() != pid && n != 0 {
			t.Errorf("thread %s of %s has %v", th.Name(), pid, children)
		}
	}
	w.down(p)
}
