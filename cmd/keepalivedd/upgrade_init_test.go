package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// promise U1, issue 10.4: as the first process of a PID namespace it is replaced as anywhere else, three times in a row
func TestUpgradeOfInit(t *testing.T) {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("no unshare")
	}
	if out, err := exec.Command(unshare, "--mount", "--pid", "--fork", "--mount-proc",
		"true").CombinedOutput(); err != nil {
		t.Skipf("no PID namespace can be made: %v, %s", err, out)
	}
	to := newer(t)
	w := newWorld(t, oneProgram)
	script := `
conf=$1 old=$2 new=$3 dir=$4
(
	until [ -s "$dir/up" ]; do sleep 0.01; done
	for to in "$new" "$old" "$new"; do
		"$old" -f "$conf" upgrade --binary "$to" >>"$dir/said" 2>&1
	done
	"$old" -f "$conf" status one >>"$dir/said" 2>&1
	"$old" -f "$conf" stop
) &
exec "$old" -f "$conf"
`
	c := exec.Command(unshare, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh",
		w.conf, w.binary, to, w.dir)
	c.Env, c.Dir = w.command().Env, "/"
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		t.Errorf("%v: %s; the log:\n%s", err, out.String(), w.read(w.log))
	}
	said, _ := os.ReadFile(filepath.Join(w.dir, "said"))
	if n := strings.Count(string(said), "upgraded from "); n != 3 || !strings.Contains(string(said), "one is up") {
		t.Errorf("it says:\n%s\nthe log:\n%s", said, w.read(w.log))
	}
	if up := w.read(filepath.Join(w.dir, "up")); strings.Count(up, "\n") != 1 {
		t.Errorf("the program was started again: %q", up)
	}
}
