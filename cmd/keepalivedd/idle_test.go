package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// quietOnes have a daemon do whatever it can, and nothing more once it is done.
const quietOnes = `
[events]
command = ["/bin/sh", "-c", "echo up >$DIR/events; exec cat >/dev/null"]
[program.held]
autostart = false
command = ["/bin/sleep", "1000"]
[program.done]
type = "oneshot"
restart = "on-failure"
command = ["/bin/true"]
[program.listens]
listen = ["unix:$DIR/socket"]
output = "$DIR/out"
on_change = ["/bin/sh", "-c", "echo $NEW_STATE >$DIR/told"]
ready = "fd:4"
ready_timeout = "100s"
command = ["/bin/sh", "-c", "echo hello; echo >&4; exec tail -f $DIR/conf.toml"]
[program.later]
after = ["listens"]
command = ["/bin/sh", "-c", "exec tail -f $DIR/conf.toml"]
`

// promise C4: an idle daemon does not wake at all. What others do to it, taking the processor away or the cache, is not
// counted: voluntary switches are, and the processor time of a thread that had none.
func TestIdle(t *testing.T) {
	window := 3 * time.Second
	if long() {
		window = 20 * time.Second
	}
	w := newWorld(t, oneProgram+quietOnes)
	p := w.up()
	for _, name := range []string{"up", "events", "told"} {
		w.await(filepath.Join(w.dir, name), "^up$")
	}
	w.await(w.log, "INFO ready")
	w.await(w.log, "program done: .*; done")
	// Its last work has an end that nobody is told of: it is over when nothing has changed for a while.
	before := threads(t, p.pid)
	for quiet, tries := 0, 0; quiet < 5 && tries < 100; tries++ {
		time.Sleep(200 * time.Millisecond)
		now := threads(t, p.pid)
		if quiet++; !equal(before, now) {
			quiet = 0
		}
		before = now
	}
	time.Sleep(window)
	after := threads(t, p.pid)
	for tid, now := range after {
		if was := before[tid]; now != was {
			t.Errorf("thread %s, in %v: voluntary switches and processor time (ns) from %v to %v", tid, window, was, now)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d threads became %d", len(before), len(after))
	}
	w.down(p)
}

// use is what a thread has done: voluntary_ctxt_switches and the first number of schedstat.
type use struct{ switches, time string }

var voluntary = regexp.MustCompile(`(?m)^voluntary_ctxt_switches:\s*(\d+)`)

func threads(t *testing.T, pid int) map[string]use {
	t.Helper()
	all := map[string]use{}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, task := range tasks {
		status, err := os.ReadFile(task + "/status")
		if err != nil {
			continue // it has ended since
		}
		var u use
		if m := voluntary.FindSubmatch(status); m != nil {
			u.switches = string(m[1])
		}
		if b, err := os.ReadFile(task + "/schedstat"); err == nil { // a kernel may have none
			fmt.Sscan(string(b), &u.time)
		}
		all[filepath.Base(task)] = u
	}
	if len(all) == 0 {
		t.Fatalf("process %d has no threads", pid)
	}
	return all
}

func equal(a, b map[string]use) bool {
	for tid, u := range a {
		if b[tid] != u {
			return false
		}
	}
	return len(a) == len(b)
}
