package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// promises U2, R2: where the exec itself fails, at the last step, everything goes on, signals too
func TestUpgradeThatCannotBeExecuted(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, oneProgram)
	w.failing("cannot be executed")
	to := filepath.Join(w.dir, "to")
	p := w.up()
	w.await(filepath.Join(w.dir, "up"), "up")
	ignored := regexp.MustCompile("SigIgn:.*")
	was, signals := w.pids(), ignored.FindString(w.read("/proc/"+itoa(p.pid)+"/status"))
	for range 2 {
		if err := os.WriteFile(to, program, 0o755); err != nil {
			t.Fatal(err)
		}
		os.Chmod(to, 0o755)
		if status, stderr := w.run("upgrade", "--binary", to); status != 1 ||
			!strings.Contains(stderr, "it may not be executed") {
			t.Fatalf("status %d, %q; the log:\n%s", status, stderr, w.read(w.log))
		}
		if now := w.pids(); fmt.Sprint(now) != fmt.Sprint(was) {
			t.Errorf("programs were %v, are %v", was, now)
		}
		if text := w.read(w.pidfile); text != fmt.Sprintf("%d\n", p.pid) {
			t.Errorf("the pidfile says %q", text)
		}
		if now := ignored.FindString(w.read("/proc/" + itoa(p.pid) + "/status")); now != signals || now == "" {
			t.Errorf("of signals, which children would inherit, it had %s, and has %s", signals, now)
		}
	}
	w.configure(oneProgram + fmt.Sprintf(oneMore, "late"))
	for _, sig := range []unix.Signal{unix.SIGUSR1, unix.SIGALRM, unix.SIGHUP} {
		p.signal(t, sig)
	}
	w.await(filepath.Join(w.dir, "late"), "up")
	w.upgrade(newer(t))
	w.down(p)
}
