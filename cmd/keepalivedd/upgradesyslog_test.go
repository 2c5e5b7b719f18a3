package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promises U1, L2: what waits for a syslogd that is not there holds up no upgrade: it is counted, and told of by the
// one that goes on
func TestUpgradeWithoutSyslogd(t *testing.T) {
	if _, err := os.Stat("/dev/log"); err == nil {
		t.Skip("needs a system without a syslogd: there is /dev/log")
	}
	w := newWorld(t, `
[program.one]
command = ["/bin/sh", "-c", "echo one; echo two; echo three; exec sleep 1000"]
output = "syslog"
`)
	p := w.up()
	for {
		status, text := w.say("logs", "one")
		if status != 0 {
			t.Fatalf("logs: %d, %q", status, text)
		}
		if strings.Contains(text, "three") {
			break
		}
	}
	w.upgrade(newer(t))
	w.await(w.log, "3 log messages lost")
	if _, text := w.say("metrics"); !strings.Contains(text, "\nkeepalivedd_log_dropped_total 3\n") {
		t.Errorf("metrics:\n%s", text)
	}
	w.down(p)
}

// promises U1, U2: what a file has not taken, for a disk that hangs, is not thrown away by an upgrade, be it a
// program's or the daemon's own log: that is refused, and says so
func TestUpgradeWithAFileThatHangs(t *testing.T) {
	const prints = `
[program.one]
command = ["/bin/sh", "-c", "echo one; exec sleep 1000"]
`
	for whose, want := range map[string]string{"log": "the log is not written: ",
		"program": "program one: its output is not written: "} {
		t.Run(whose, func(t *testing.T) {
			t.Parallel()
			terminal := stoppedTerminal(t)
			hangs := terminal.Name()
			w := newWorld(t, prints)
			if whose == "log" {
				text := strings.Replace(w.read(w.conf), w.log, hangs, 1)
				if err := os.WriteFile(w.conf, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			} else {
				w.configure(prints + "output = \"" + hangs + "\"\n")
			}
			p := w.up()
			status, stderr := 0, "" // of an upgrade before there is a line, when nothing hangs
			for end := time.Now().Add(patience); status == 0 && time.Now().Before(end); {
				status, stderr = w.run("upgrade", "--binary", newer(t))
			}
			if status == 0 || !strings.Contains(stderr, want) {
				t.Errorf("status %d, %q", status, stderr)
			}
			if err := unix.IoctlSetInt(int(terminal.Fd()), unix.TCXONC, 1); err != nil { // TCOON
				t.Fatal(err)
			}
			w.down(p)
		})
	}
}
