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
)

// score is what the daemon's will be that is started with one of 200: -900, or 0 where only that is allowed.
func score(t *testing.T) string {
	t.Helper()
	c := exec.Command("/bin/sh", "-c", "echo -900 >/proc/self/oom_score_adj")
	if c.Run() == nil {
		return "-900"
	}
	return "0"
}

// startWithScore is run for a caller of that score.
func (w *world) startWithScore(score string) *process {
	w.t.Helper()
	c := w.command()
	c.Args = append([]string{"sh", "-c", `echo $0 >/proc/self/oom_score_adj && exec "$@"`, score, c.Path}, c.Args[1:]...)
	c.Path = "/bin/sh"
	if status, stderr := w.finish(c); status != 0 {
		w.t.Fatalf("start: %d, %s", status, stderr)
	}
	return w.daemon()
}

func (p *process) score() string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", p.pid))
	return strings.TrimSpace(string(b))
}

// promise C8, issue 8.3: the kernel is to end others before the daemon, and nobody that the daemon starts has its
// score, unless it asks for that
func TestScore(t *testing.T) {
	own := score(t)
	const say = `["/bin/sh", "-c", "echo $0 $(cat /proc/self/oom_score_adj) >>$DIR/said`
	w := newWorld(t, `
shutdown.command = `+say+`", "shutdown"]
[startup]
command = `+say+`", "startup"]
[program.plain]
command = `+say+`; sleep 0.01", "plain"]
restart_delay = { min = "10ms", max = "10ms" }
on_change = `+say+`", "hook"]
[program.asks]
command = `+say+`; exec tail -f $DIR/said", "asks"]
oom_score_adj = 300
[program.limited]
command = `+say+`; exec tail -f $DIR/said", "limited"]
limits.core = 0
check = { command = `+say+`", "check"], every = "50ms" }
[program.gated]
command = `+say+`; exec tail -f $DIR/said", "gated"]
gate = `+say+`; echo; cat /proc/$PPID/oom_score_adj >>$DIR/guard; exec tail -f $DIR/said", "gate"]
gate_timeout = "1s"
`)
	d := w.startWithScore("200")
	said := filepath.Join(w.dir, "said")
	if err := await(said, regexp.MustCompile(`(?m)^plain 200$`), 10); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"startup 200", "hook 200", "asks 300", "limited 200", "check 200", "gate 200",
		"gated 200"} {
		w.await(said, "^"+want+"$")
	}
	w.await(filepath.Join(w.dir, "guard"), "^200$")
	seen := map[string]bool{}
	for deadline := time.Now().Add(patience); !seen[own] && time.Now().Before(deadline); { // but for the moment of a fork
		seen[d.score()] = true
	}
	delete(seen, "200")
	if !seen[own] || len(seen) > 1 {
		t.Errorf("the daemon's score is %v, want %s", seen, own)
	}
	w.down(d)
	w.await(said, `^shutdown 200$`)
	for line := range strings.Lines(w.read(said)) {
		if strings.HasSuffix(line, " "+own+"\n") {
			t.Errorf("a child had the daemon's score: %s", line)
		}
	}
}

// issue 8.3: a score below zero that the daemon was started with is somebody's choice, and kept
func TestScoreChosen(t *testing.T) {
	if score(t) != "-900" {
		t.Skip("a score below zero is not allowed here")
	}
	w := newWorld(t, `
[program.a]
command = ["/bin/sh", "-c", "cat /proc/self/oom_score_adj >$DIR/said; exec tail -f $DIR/conf.toml"]
`)
	d := w.startWithScore("-300")
	w.await(filepath.Join(w.dir, "said"), `^-300$`)
	if got := d.score(); got != "-300" {
		t.Errorf("the daemon's score is %s", got)
	}
	w.down(d)
}
