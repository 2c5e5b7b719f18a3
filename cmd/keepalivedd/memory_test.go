package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// promise C8, issue 8.3: where memory runs out, in a cgroup with the daemon and its programs, the kernel ends one of
// these, and the daemon goes on; be it a large one, or a crowd of which each is smaller than the daemon
func TestMemoryRunsOut(t *testing.T) {
	own := score(t)
	kills := 3
	if long() {
		kills = 100
	}
	for what, command := range map[string]string{
		"large": "tail /dev/zero", // which waits for the end of its line
		"crowd": "while :; do sleep 1000 & done",
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, fmt.Sprintf(`
[program.quiet]
command = ["/bin/sh", "-c", "exec tail -f $DIR/conf.toml"]
[program.hungry]
command = ["/bin/sh", "-c", "echo >>$DIR/started; %s"]
restart_delay = { min = "10ms", max = "10ms" }
`, command))
			g := newCgroup(t, "memory")
			file, pattern := "memory.oom_control", `(?m)^oom_kill (\d+)$`
			if g.v2 {
				file, pattern = "memory.events", `(?m)^oom_kill (\d+)$`
				g.set("memory.max", "64M")
			} else {
				g.set("memory.limit_in_bytes", "64M")
			}
			killed := func() int {
				m := regexp.MustCompile(pattern).FindStringSubmatch(w.read(filepath.Join(g.dir, file)))
				if m == nil {
					t.Skipf("%s does not tell how many were killed", file)
				}
				n, _ := strconv.Atoi(m[1])
				return n
			}
			c := w.command()
			c.Args = append([]string{"sh", "-c", `echo 200 >/proc/self/oom_score_adj && exec "$@"`, "sh", c.Path}, c.Args[1:]...)
			c.Path = "/bin/sh"
			if status, stderr := g.run(w, c); status != 0 {
				t.Fatalf("start: %d, %q", status, stderr)
			}
			d := w.daemon()
			for deadline := time.Now().Add(time.Duration(kills) * patience); killed() < kills; {
				if d.ends(10*time.Millisecond) || time.Now().After(deadline) {
					t.Fatalf("after %d kills of %d the daemon, with a score of %s, is dead or nothing comes; the log:\n%s", killed(),
						kills, own, w.read(w.log))
				}
			}
			t.Logf("%d were killed, and the daemon goes on", killed())
			w.down(d)
		})
	}
}
