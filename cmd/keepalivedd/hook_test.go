package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const idle = `
[program.a]
command = ["/bin/sh", "-c", "exec tail -f $DIR/conf.toml"]
`

// issue 7.B4: of what a startup command writes only the last is kept
func TestStartupThatWritesMuch(t *testing.T) {
	w := newWorld(t, `
[startup]
timeout = "60s"
command = ["/bin/sh", "-c", "head -c 300000000 /dev/zero"]
`+idle)
	d := w.up()
	var most int
	if _, err := fmt.Sscan(regexp.MustCompile(`VmHWM:\s+(\d+)`).
		FindStringSubmatch(w.read(fmt.Sprintf("/proc/%d/status", d.pid)))[1], &most); err != nil {
		t.Fatal(err)
	}
	if most > 100_000 {
		t.Errorf("%d kB", most)
	}
	w.down(d)
	w.configure(`
[startup]
timeout = "60s"
command = ["/bin/sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo the end; exit 3"]
` + idle)
	status, stderr := w.run()
	if status != failure || !strings.Contains(stderr, "exit status 3; it wrote:") ||
		!strings.Contains(stderr, "xxx\n"+name+": the end\n") && !strings.Contains(stderr, "xthe end\n") ||
		len(stderr) > 2000 {
		t.Errorf("status %d, %d bytes: %.300s", status, len(stderr), stderr)
	}
	w.empty()
}

// issue 7.B4: what a startup command leaves in the background is no failure, can write, and ends with the daemon
func TestStartupLeavesAProcess(t *testing.T) {
	w := newWorld(t, `
[startup]
command = ["/bin/sh", "-c", "while read line; do echo to nowhere; echo $line >>$DIR/said; done <$DIR/fifo & echo started"]
`+idle)
	fifo := filepath.Join(w.dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := w.up()
	for _, line := range []string{"one", "two"} {
		fmt.Fprintln(f, line)
		w.await(filepath.Join(w.dir, "said"), line)
	}
	w.down(d)
}

// promise S2: what a startup command that fails leaves in the background is ended, in its group or not; issue 7.B4: and
// what a shutdown command leaves
func TestHooksLeaveNothing(t *testing.T) {
	w := newWorld(t, `
[startup]
command = ["/bin/sh", "-c", "sh -c ': $DIR/; exec tail -f $DIR/conf.toml' & echo sorry; exit 3"]
`+idle)
	if status, stderr := w.run(); status != failure || !strings.Contains(stderr, "it wrote:\n"+name+": sorry") {
		t.Errorf("status %d, %s", status, stderr)
	}
	w.empty()
	w.configure(`
[startup]
command = ["/bin/sh", "-c", "setsid sh -c ': $DIR/; trap \"echo asked >$DIR/asked; exit\" TERM; echo $$ >$DIR/there; while :; do sleep 0.1; done' & until test -s $DIR/there; do sleep 0.01; done; exit 3"]
` + idle)
	if status, stderr := w.run(); status != failure || !strings.Contains(stderr, "exit status 3") {
		t.Errorf("status %d, %s", status, stderr)
	}
	w.empty()
	if text := w.read(filepath.Join(w.dir, "asked")); text != "asked\n" {
		t.Errorf("what had left the group was not asked to end first: %q", text)
	}
	w.configure(`
[shutdown]
command = ["/bin/sh", "-c", "tail -f $DIR/conf.toml &"]
` + idle)
	w.down(w.up())
}

// A number that a reaped process had may be another's at once, where there are few of them: the group of a command is
// killed while it still is its own.
func TestHookIsKilledUnderItsNumber(t *testing.T) {
	needStrace(t)
	w := newWorld(t, `
[startup]
command = ["/bin/sh", "-c", "exit 3"]
`+idle)
	trace := filepath.Join(w.dir, "trace")
	c := w.command("-n")
	c.Args = append([]string{"strace", "-D", "-f", "-qq", "-o", trace, "-e", "signal=none", "-e", "trace=kill", w.binary},
		c.Args[1:]...)
	c.Path = must(exec.LookPath("strace"))
	if status, stderr := w.finish(c); status != failure {
		t.Errorf("status %d: %s", status, stderr)
	}
	killed := regexp.MustCompile(`kill\(-\d+, SIGKILL\) += (.*)`)
	var ended []string
	for end := time.Now().Add(time.Minute); len(ended) == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		ended = killed.FindStringSubmatch(w.read(trace)) // which may be written yet
	}
	if len(ended) == 0 || ended[1] != "0" {
		t.Errorf("%q", ended)
	}
}
