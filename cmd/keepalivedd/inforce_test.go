package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keepalivedd/keepalivedd/daemon"
)

// promise R4: whatever a reload may change of the daemon's own is in force when it is accepted, and was not before
func TestWhatIsReloadedIsInForce(t *testing.T) {
	const before = `pidfile = "$DIR/pid"
shutdown_timeout = "20s"
metrics_file = "$DIR/old.prom"
[log]
to = "$DIR/log"
level = "warn"
keep = "4M"
[events]
command = ["/bin/sh", "-c", "echo $$ >$DIR/old.events; exec cat >/dev/null"]
[shutdown]
command = ["/bin/sh", "-c", "echo old >>$DIR/shutdown"]
[program.talks]
command = ["/bin/sh", "-c", "yes 0123456789012345678901234567890123456789 | head -n 3000; exec tail -f $DIR/conf.toml"]
`
	t.Parallel()
	w := newWorld(t, "")
	write := func(text string) {
		if err := os.WriteFile(w.conf, []byte(strings.ReplaceAll(text, "$DIR", w.dir)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(before)
	d := w.up()
	file := func(name string) string { return filepath.Join(w.dir, name) }
	w.await(file("old.prom"), "keepalivedd_program_up")
	w.await(file("old.events"), `^\d+$`)
	lines := func() int {
		status, stdout := w.say("logs", "-n", "all")
		if status != ok {
			t.Errorf("logs: status %d", status)
		}
		return strings.Count(stdout, "\n")
	}
	for lines() < 3000 {
	}
	if log := w.read(w.log); strings.Contains(log, "INFO ready") {
		t.Errorf("below warn is logged:\n%s", log)
	}

	write(strings.NewReplacer("20s", "7s", "old", "new", "warn", "info", "4M", "64K").Replace(before))
	if status, stderr := w.run("reload"); status != ok {
		t.Fatalf("reload: %d, %s", status, stderr)
	}
	w.await(w.log, "INFO reloaded")
	budget, err := daemon.AskBudget(w.pidfile, patience)
	if fmt.Sprint(budget, err) != "9s <nil>" { // with what may be ended by force
		t.Errorf("budget %v, %v", budget, err)
	}
	if n := lines(); n >= 3000 || n == 0 {
		t.Errorf("%d lines are kept in 64K", n)
	}
	w.await(file("new.events"), `^\d+$`)
	w.await(file("new.prom"), "keepalivedd_program_up")
	if _, err := os.Lstat(file("old.prom")); !os.IsNotExist(err) {
		t.Errorf("metrics are left where they are not to be any more: %v", err)
	}
	w.down(d)
	if text := w.read(file("shutdown")); text != "new\n" {
		t.Errorf("at the shutdown: %q", text)
	}
	if _, err := os.Lstat(file("new.prom")); !os.IsNotExist(err) {
		t.Errorf("metrics of nobody are left: %v", err)
	}
}
