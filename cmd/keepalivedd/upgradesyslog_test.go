package main

import (
	"os"
	"strings"
	"testing"
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
