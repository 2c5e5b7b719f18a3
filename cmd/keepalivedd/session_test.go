package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// promise T4: the daemon is restarted from within a session of a program with kill = "process", as over ssh, and the
// one that was started by such a session is killed and started again from within another
func TestRestartFromASession(t *testing.T) {
	w := newWorld(t, `
[program.sshd]
command = ["/bin/sh", "-c", "setsid env -i sh $DIR/session $DIR >$DIR/own 2>&1 & exec tail -f $DIR/conf.toml"]
kill = "process"
restart = "never"
`)
	session := `
dir=$1 daemon="` + w.binary + ` -f $1/conf.toml"
mkdir "$dir/once" || exit
read go <"$dir/go"
$daemon stop && $daemon && echo "restarted $?" >"$dir/said"
read go <"$dir/go"
kill -KILL "$(cat "$dir/pid")"
while grep -q "^State:.[^ZX]" "/proc/$(cat "$dir/pid")/status"; do :; done
$daemon && echo "started $?" >>"$dir/said"
`
	if err := os.WriteFile(filepath.Join(w.dir, "session"), []byte(session), 0o644); err != nil {
		t.Fatal(err)
	}
	goOn := filepath.Join(w.dir, "go")
	if err := unix.Mkfifo(goOn, 0o600); err != nil {
		t.Fatal(err)
	}
	first := w.up()
	os.WriteFile(goOn, []byte("go\n"), 0)
	w.await(filepath.Join(w.dir, "said"), "^restarted 0$")
	second := w.daemon()
	if first.pid == second.pid {
		t.Error("it was not restarted")
	}
	os.WriteFile(goOn, []byte("go\n"), 0)
	w.await(filepath.Join(w.dir, "said"), "^started 0$")
	if log := w.read(w.log); strings.Contains(log, "killed what") {
		t.Error(log)
	}
	w.down(w.daemon())
}
