package main

import (
	"path/filepath"
	"testing"
)

// promise T4: a stop that comes from below one of the daemon's own programs, as over an ssh that it runs,
// comes to its end
func TestStopFromBelow(t *testing.T) {
	w := newWorld(t, "")
	w.configure(`
[program.sshd]
command = ["/bin/sh", "-c", "setsid /bin/sh -c '` + w.binary + ` -f $DIR/conf.toml stop; echo status $? >$DIR/after' & exec tail -f /dev/null $DIR/conf.toml"]
`)
	if status, stderr := w.run(); status != 0 {
		t.Fatalf("%d, %q", status, stderr)
	}
	w.await(filepath.Join(w.dir, "after"), "^status 0$")
	w.empty()
}
