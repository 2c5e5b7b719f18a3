package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who may write what the daemon runs is told by a start, in its log too, by a reload and by a test; nothing is refused
// for that.
func TestWritersAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `
[program.one]
command = ["$DIR/one.sh"]
environment_file = "$DIR/env"
`)
	script, env := filepath.Join(w.dir, "one.sh"), filepath.Join(w.dir, "env")
	for _, file := range []struct {
		path, text string
		mode       os.FileMode
	}{{script, "#!/bin/sh\nexec sleep 1000\n", 0o777}, {env, "", 0o666}, {w.conf, w.read(w.conf), 0o666}} {
		if err := os.WriteFile(file.path, []byte(file.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file.path, file.mode); err != nil {
			t.Fatal(err)
		}
	}
	const may = ": everybody may write to it, and so have any command run as the daemon's user"
	_, stderr := w.run("-t")
	if !strings.Contains(stderr, w.conf+may) || !strings.Contains(stderr, env+may) ||
		!strings.Contains(stderr, script+may) || strings.Count(stderr, "\n") != 3 {
		t.Errorf("-t: %s", stderr)
	}
	status, stderr := w.run()
	if status != 0 || !strings.Contains(stderr, w.conf+may) || !strings.Contains(stderr, env+may) ||
		strings.Count(stderr, "\n") != 2 {
		t.Errorf("start: %d, %s", status, stderr)
	}
	d := w.daemon()
	w.await(w.log, "WARN "+w.conf+may)
	if err := os.Chmod(w.conf, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, stderr := w.run("reload"); status != 0 || stderr != "" {
		t.Errorf("reload: %d, %s", status, stderr)
	}
	w.await(w.log, "WARN "+env+may)
	if log := w.read(w.log); strings.Contains(log, w.conf+may) {
		t.Errorf("told of what was put right; the log:\n%s", log)
	}
	w.down(d)

	if os.Geteuid() != 0 {
		t.Log("of files that belong to others only root can test")
		return
	}
	if err := os.Chown(w.conf, 65533, 65533); err != nil {
		t.Fatal(err)
	}
	want := w.conf + ": uid 65533 may write to it, and so have any command run as the daemon's user; " +
		"it belongs to uid 65533, mode 0644: chown root " + w.conf
	if _, stderr := w.run("-t"); !strings.Contains(stderr, want) {
		t.Errorf("-t: %s", stderr)
	}
}
