package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cgroup is a group of a controller that a test has made.
type cgroup struct {
	t   *testing.T
	dir string
	v2  bool
}

// newCgroup makes a group with a controller, in whichever hierarchy has it, and skips where none can be had.
func newCgroup(t *testing.T, controller string) *cgroup {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: a cgroup")
	}
	const mounts = "/sys/fs/cgroup"
	g := &cgroup{t: t}
	parent := filepath.Join(mounts, controller) // version 1, or the hybrid layout
	if _, err := os.Stat(filepath.Join(parent, "cgroup.procs")); err != nil {
		parent, g.v2 = mounts, true
		b, err := os.ReadFile(filepath.Join(parent, "cgroup.subtree_control"))
		if err != nil || !strings.Contains(" "+strings.TrimSpace(string(b))+" ", " "+controller+" ") {
			t.Skipf("no cgroup controller %s in %s", controller, mounts)
		}
	}
	var err error
	if g.dir, err = os.MkdirTemp(parent, "keepalivedd-test"); err != nil {
		t.Skipf("cannot make a cgroup: %v", err)
	}
	t.Cleanup(func() {
		for deadline := time.Now().Add(patience); os.Remove(g.dir) != nil; { // busy while its last process dies
			if time.Now().After(deadline) {
				t.Errorf("%s cannot be removed", g.dir)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	return g
}

func (g *cgroup) set(file, value string) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, file), []byte(value), 0); err != nil {
		g.t.Fatal(err)
	}
}

// run has a command start inside.
func (g *cgroup) run(w *world, c *exec.Cmd) (status int, stderr string) {
	g.t.Helper()
	c.Args = append([]string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(g.dir, "cgroup.procs"), c.Path},
		c.Args[1:]...)
	c.Path = "/bin/sh"
	return w.finish(c)
}
